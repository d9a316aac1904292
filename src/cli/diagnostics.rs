//! Draws diagnostics: the line that is wrong with a caret under the place, what is related, and the fix. Decides
//! nothing; the order is that of the diagnostics.

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::rules::diagnostic::{Diagnostic, Severity};
use crate::rules::place::Place;

/// Wide enough for a rule, narrow enough for half a screen.
const WIDTH: usize = 120;

/// The drawing, with a line break at its end; empty when there are none.
pub fn draw(diagnostics: &[Diagnostic], has_colours: bool) -> String {
    let renderer = if has_colours { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    diagnostics.iter().map(|diagnostic| renderer.render(&[group(diagnostic)]) + "\n\n").collect()
}

/// How many there are, in words: `2 errors and 1 warning`.
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let n_errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let plural = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    match (n_errors, diagnostics.len() - n_errors) {
        (n, 0) => plural(n, "error"),
        (0, n) => plural(n, "warning"),
        (n_errors, n) => format!("{} and {}", plural(n_errors, "error"), plural(n, "warning")),
    }
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.code.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&diagnostic.title)).id(diagnostic.code.number());
    let mut group = title.elements(sources(diagnostic));
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    group
}

/// What stands where: first the diagnostic's own place, with related ones of the same file; then those of others.
fn sources(diagnostic: &Diagnostic) -> Vec<Element<'_>> {
    let place = &diagnostic.place;
    if place.file.text.is_empty() {
        return vec![Origin::path(&*place.file.path).into()];
    }
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        diagnostic.related.iter().partition(|(related, _)| related.file == place.file);
    let context = |(place, label): &'_ (Place, String)| annotation(AnnotationKind::Context, place, label.clone());
    let mut first = snippet(place).annotation(annotation(AnnotationKind::Primary, place, diagnostic.label.clone()));
    for related in here {
        first = first.annotation(context(related));
    }
    let mut elements = vec![Element::from(first)];
    elements.extend(elsewhere.iter().map(|related| snippet(&related.0).annotation(context(related)).into()));
    elements
}

fn snippet(place: &Place) -> Snippet<'_, Annotation<'_>> {
    Snippet::source(&*place.file.text).path(&*place.file.path)
}

fn annotation(kind: AnnotationKind, place: &Place, label: String) -> Annotation<'static> {
    let annotation = kind.span(place.span.clone());
    if label.is_empty() { annotation } else { annotation.label(printable(&label)) }
}

/// Names come from the user's files and must not reach the terminal as commands to it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::rules::diagnostic::Code;
    use crate::rules::place::SourceFile;

    fn check(diagnostic: Diagnostic, expected: Expect) {
        expected.assert_eq(&draw(&[diagnostic], false));
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
                  = help: remove one

            "#]],
        );
    }

    #[test]
    fn places_at_the_end_and_without_a_text_are_drawn_too() {
        let file = SourceFile::new("a.toml", "x = \n");
        check(
            Diagnostic::new(Code::NotToml, Place::new(&file, 5..5), "not TOML"),
            expect![[r#"
            error[E0103]: not TOML
             --> a.toml:1:6
              |
            1 | x = 
              |     ^

        "#]],
        );
        let nowhere = SourceFile::new("b.toml", "");
        check(
            Diagnostic::new(Code::Unreadable, Place::new(&nowhere, 0..0), "cannot read b.toml"),
            expect![[r#"
            error[E0101]: cannot read b.toml
            --> b.toml

        "#]],
        );
    }

    #[test]
    fn names_cannot_command_the_terminal() {
        let file = SourceFile::new("a.toml", "\u{1b}[2J = 1\n");
        let diagnostic =
            Diagnostic::new(Code::UnknownKey, Place::new(&file, 0..4), "no `\u{1b}[2J`").label("\u{1b}[2J");
        assert!(!draw(&[diagnostic], false).contains('\u{1b}'));
    }
}
