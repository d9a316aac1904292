//! Which dimensions the viewer is shown. With many of them every order moves its customer in several, and nobody can
//! follow that; so it is the first one of the rules unless others are asked for. What is published does not depend on
//! it.

use crate::cli::dimension;
use crate::rules::Plan;

/// What stands for every dimension.
const ALL: &str = "all";

/// Names of dimensions, in the order of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(Vec<Box<str>>);

impl Shown {
    /// Those that were asked for; when none was, the first. The error is for people.
    pub fn of(asked: &[String], plan: &Plan) -> Result<Shown, String> {
        let names = || plan.dimensions.iter().map(|dimension| &*dimension.name);
        if asked.is_empty() {
            return Ok(Shown(names().take(1).map(Box::from).collect()));
        }
        let named: Vec<String> = asked.iter().filter(|asked| *asked != ALL).cloned().collect();
        dimension::check(&named, names())?;
        let is_asked = |name: &str| asked.iter().any(|asked| asked == name || asked == ALL);
        Ok(Shown(names().filter(|name| is_asked(name)).map(Box::from).collect()))
    }

    pub fn has(&self, dimension: &str) -> bool {
        self.0.iter().any(|name| **name == *dimension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rules::load_text;

    fn shown(asked: &[&str]) -> Result<Vec<String>, String> {
        let dimension = |name: &str| format!("[[dimension]]\nname = \"{name}\"\n");
        let segment = "[[dimension.segment]]\nname = \"x\"\nwhen = 'purchase.count() >= 1'\n";
        let text: String = ["activity", "spend", "cart"].map(|name| dimension(name) + segment).concat();
        let plan = load_text("segments.toml", &text).expect("the rules are right").plan;
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        Shown::of(&asked, &plan).map(|Shown(names)| names.into_iter().map(String::from).collect())
    }

    #[test]
    fn the_first_dimension_unless_others_are_asked_for() {
        assert_eq!(shown(&[]), Ok(vec!["activity".to_owned()]));
        assert_eq!(shown(&["cart", "activity"]), Ok(vec!["activity".to_owned(), "cart".to_owned()]));
        assert_eq!(shown(&["all"]).map(|names| names.len()), Ok(3));
    }

    #[test]
    fn a_name_that_there_is_not_is_refused() {
        assert_eq!(shown(&["cards"]), Err("there is no dimension `cards`; did you mean `cart`?".to_owned()));
        let error = shown(&["cart", "humidity"]).expect_err("there is none");
        assert_eq!(error, "there is no dimension `humidity`; there are activity, spend, cart");
    }
}
