//! Diagnostics as people read them: the line, a caret under what is wrong, related places, the fix. Draws only; what
//! is wrong was decided before.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::rules::diagnostic::Diagnostic;
use crate::rules::place::Place;

/// All of them, one under the other, and how many there are.
pub fn draw_all(diagnostics: &[Diagnostic], in_colour: bool) -> String {
    let mut drawn = String::new();
    for diagnostic in diagnostics {
        drawn.push_str(&draw(diagnostic, in_colour));
        drawn.push_str("\n\n");
    }
    let n_errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let n_warnings = diagnostics.len() - n_errors;
    let counted = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 {what}")),
        n => Some(format!("{n} {what}s")),
    };
    let counts: Vec<_> = [counted(n_errors, "error"), counted(n_warnings, "warning")].into_iter().flatten().collect();
    if !counts.is_empty() {
        drawn.push_str(&counts.join(", "));
        drawn.push('\n');
    }
    drawn
}

/// One of them, without a line break at its end.
pub fn draw(diagnostic: &Diagnostic, in_colour: bool) -> String {
    let level = if diagnostic.is_error() { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(printable(&diagnostic.title)).id(diagnostic.code.number());
    let mut group = with_places(Group::with_title(title), diagnostic);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let renderer = if in_colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

fn with_places<'a>(group: Group<'a>, diagnostic: &'a Diagnostic) -> Group<'a> {
    let file = &diagnostic.place.file;
    if file.text.is_empty() {
        return group.element(Origin::path(&*file.path));
    }
    let (near, far): (Vec<_>, Vec<_>) = diagnostic.related.iter().partition(|(place, _)| place.file == *file);
    let mut marks = vec![(AnnotationKind::Primary, &diagnostic.place, &*diagnostic.label)];
    marks.extend(near.iter().map(|(place, label)| (AnnotationKind::Context, place, &**label)));
    let mut group = group.element(snippet(&marks));
    for (place, label) in far {
        group = group.element(snippet(&[(AnnotationKind::Context, place, label)]));
    }
    group
}

/// The lines of one file that the places are on, and what lies between.
pub(super) fn snippet<'a>(marks: &[(AnnotationKind, &'a Place, &'a str)]) -> Snippet<'a, Annotation<'a>> {
    let file = &marks[0].1.file;
    let start = marks.iter().map(|(_, place, _)| place.span.start).min().unwrap_or(0);
    let end = marks.iter().map(|(_, place, _)| place.span.end).max().unwrap_or(start);
    let shown = lines_around(&file.text, start..end);
    let line = 1 + file.text[..shown.start].matches('\n').count();
    let annotations = marks.iter().map(|(kind, place, label)| {
        let span = place.span.start - shown.start..place.span.end - shown.start;
        let label = Some(*label).filter(|label| !label.is_empty());
        kind.span(span).label(label.map(printable))
    });
    Snippet::source(&file.text[shown.clone()]).line_start(line).path(&*file.path).annotations(annotations)
}

fn lines_around(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
    start..end
}

/// Names come from the user's files and must not reach the terminal as commands to it.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::rules::diagnostic::Code;
    use crate::rules::place::SourceFile;

    fn check(diagnostic: Diagnostic, expected: Expect) {
        expected.assert_eq(&draw(&diagnostic, false));
    }

    #[test]
    fn a_place_has_a_caret_a_relation_and_a_fix() {
        let file = SourceFile::new("dormouse.toml", "[[input]]\ntopic = \"a\"\n\n[[input]]\ntopic = \"a\"\n");
        let diagnostic = Diagnostic::new(Code::DuplicateName, Place::new(&file, 41..44), "`a` is given twice")
            .label("again here")
            .related(Place::new(&file, 18..21), "first here")
            .help("remove one");
        check(
            diagnostic,
            expect![[r#"
                error[E0108]: `a` is given twice
                 --> dormouse.toml:5:9
                  |
                2 | topic = "a"
                  |         --- first here
                ...
                5 | topic = "a"
                  |         ^^^ again here
                  |
                  = help: remove one"#]],
        );
    }

    #[test]
    fn places_at_the_end_and_without_a_text_are_drawn_too() {
        let file = SourceFile::new("a.toml", "x = \n");
        check(
            Diagnostic::new(Code::NotToml, Place::new(&file, 5..5), "not TOML"),
            expect![[r#"
                error[E0103]: not TOML
                 --> a.toml:2:1
                  |
                2 |
                  | ^"#]],
        );
        let nowhere = SourceFile::new("b.toml", "");
        check(
            Diagnostic::new(Code::Unreadable, Place::new(&nowhere, 0..0), "cannot read b.toml"),
            expect![[r#"
                error[E0101]: cannot read b.toml
                --> b.toml"#]],
        );
    }

    #[test]
    fn names_cannot_command_the_terminal() {
        let file = SourceFile::new("a.toml", "\u{1b}[2J = 1\n");
        let diagnostic =
            Diagnostic::new(Code::UnknownKey, Place::new(&file, 0..4), "no `\u{1b}[2J`").label("\u{1b}[2J");
        assert!(!draw(&diagnostic, false).contains('\u{1b}'));
    }
}
