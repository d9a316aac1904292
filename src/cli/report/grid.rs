//! Tables of text: columns as wide as their widest cell, the first to the left, numbers to the right.

use std::fmt::Write;

use crate::cli::paint::{Paint, Tone};

/// Rows under a head.
pub struct Grid {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// So many columns from the left are texts.
    n_texts: usize,
}

impl Grid {
    pub fn new<'a>(n_texts: usize, head: impl IntoIterator<Item = &'a str>) -> Grid {
        Grid { head: head.into_iter().map(str::to_owned).collect(), rows: Vec::new(), n_texts }
    }

    pub fn row(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.head.len(), "a cell for each column");
        self.rows.push(row);
    }

    /// Two spaces in front, a newline behind each row.
    pub fn write(&self, paint: Paint, text: &mut String) {
        let width = |column: usize| {
            let cells = std::iter::once(&self.head).chain(&self.rows).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for (index, row) in std::iter::once(&self.head).chain(&self.rows).enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let written = match column < self.n_texts {
                    true => write!(line, "  {cell:<width$}"),
                    false => write!(line, "  {cell:>width$}"),
                };
                written.expect("a string takes everything");
            }
            let line = line.trim_end();
            match index {
                0 => writeln!(text, "{}", paint.tone(Tone::Faint, line)),
                _ => writeln!(text, "{line}"),
            }
            .expect("a string takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_left_and_numbers_right() {
        let mut grid = Grid::new(1, ["segment", "n"]);
        grid.row(vec!["a".to_owned(), "1 000".to_owned()]);
        let mut text = String::new();
        grid.write(Paint { is_on: false }, &mut text);
        assert_eq!(text, "  segment      n\n  a        1 000\n");
    }
}
