//! The text of the settings as it may be shown around an error: what stands behind a sensitive name is stars, of the
//! same length in bytes, so that places still fit. Works on lines, so that it also works where the text is not TOML.

use super::client::is_sensitive;

/// The text with its secrets starred. A text in triple quotes counts to its end.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let hidden_from = match (inside, line.split_once('=')) {
            (Some(_), _) => Some(0),
            (None, Some((name, _))) if holds_secret(name) => Some(name.len() + 1),
            _ => None,
        };
        let Some(start) = hidden_from else {
            out.push_str(line);
            continue;
        };
        inside = still_inside(inside, &line[start..]);
        out.push_str(&line[..start]);
        line[start..].chars().for_each(|c| star(c, &mut out));
    }
    out
}

/// The name of a file is no secret.
fn holds_secret(name: &str) -> bool {
    let bare = name.trim_end_matches(|c: char| c.is_whitespace() || c == '"').to_ascii_lowercase();
    is_sensitive(&bare) && !bare.ends_with("_file")
}

/// Which triple quotes are open behind this part.
fn still_inside<'a>(before: Option<&'a str>, part: &str) -> Option<&'a str> {
    let quotes = before.or_else(|| ["\"\"\"", "'''"].into_iter().find(|quotes| part.contains(quotes)))?;
    let n_seen = part.matches(quotes).count() + usize::from(before.is_some());
    (n_seen % 2 == 1).then_some(quotes)
}

fn star(c: char, out: &mut String) {
    match c {
        ' ' | '\t' | '\r' | '\n' | '"' | '\'' => out.push(c),
        _ => (0..c.len_utf8()).for_each(|_| out.push('*')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_stars_of_the_same_length() {
        let text = "brokers = \"a\"\n\"sasl.password\" = \"hünter2\"\ngroup = \"g\"\n";
        assert_eq!(masked(text), "brokers = \"a\"\n\"sasl.password\" = \"********\"\ngroup = \"g\"\n");
        assert_eq!(masked(text).len(), text.len());
        assert_eq!(masked("DORMOUSE_KAFKA__CLIENT__SASL_PASSWORD=x y"), "DORMOUSE_KAFKA__CLIENT__SASL_PASSWORD=* *");
    }

    #[test]
    fn a_key_over_many_lines_is_hidden_to_its_end() {
        let text = "\"ssl.key.pem\" = \"\"\"\nabc\ndef\n\"\"\"\ngroup = \"g\"\n";
        assert_eq!(masked(text), "\"ssl.key.pem\" = \"\"\"\n***\n***\n\"\"\"\ngroup = \"g\"\n");
    }
}
