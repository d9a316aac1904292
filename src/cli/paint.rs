//! Colours of what people read, when the stream takes them. The sixteen colours of the terminal only, so that they fit
//! whatever background somebody has chosen.

use std::fmt;

/// How a text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Strong,
    /// What the eye may skip.
    Faint,
    Change,
    Name,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Change => "33",
            Tone::Name => "36",
        }
    }
}

/// Paints, or does not.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub is_on: bool,
}

impl Paint {
    /// The text in a tone; a width given to the formatter counts the text alone.
    pub fn tone<T: fmt::Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted { tone: self.is_on.then_some(tone), text }
    }
}

/// A text with its tone.
#[derive(Debug, Clone, Copy)]
pub struct Painted<T> {
    tone: Option<Tone>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tone) = self.tone else { return self.text.fmt(f) };
        write!(f, "\x1b[{}m", tone.code())?;
        self.text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_counts_the_text_alone() {
        let on = Paint { is_on: true };
        assert_eq!(format!("[{:<5}]", on.tone(Tone::Change, "ab")), "[\x1b[33mab   \x1b[0m]");
        let off = Paint { is_on: false };
        assert_eq!(format!("[{:<5}]", off.tone(Tone::Change, "ab")), "[ab   ]");
    }
}
