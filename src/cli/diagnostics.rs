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
    let title = level.primary_title(&*diagnostic.title).id(diagnostic.code.number());
    let mut group = with_places(Group::with_title(title), diagnostic);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(&**help));
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
fn snippet<'a>(marks: &[(AnnotationKind, &'a Place, &'a str)]) -> Snippet<'a, Annotation<'a>> {
    let file = &marks[0].1.file;
    let start = marks.iter().map(|(_, place, _)| place.span.start).min().unwrap_or(0);
    let end = marks.iter().map(|(_, place, _)| place.span.end).max().unwrap_or(start);
    let shown = lines_around(&file.text, start..end);
    let line = 1 + file.text[..shown.start].matches('\n').count();
    let annotations = marks.iter().map(|(kind, place, label)| {
        let span = place.span.start - shown.start..place.span.end - shown.start;
        let label = Some(*label).filter(|label| !label.is_empty());
        kind.span(span).label(label)
    });
    Snippet::source(&file.text[shown.clone()]).line_start(line).path(&*file.path).annotations(annotations)
}

fn lines_around(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
    start..end
}
