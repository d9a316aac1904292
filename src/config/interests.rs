//! `[interests]` of the rules file: how much of what a customer looks at and buys a change offers. No rule reads it.

use toml::de::DeValue;

use super::document::{Reader, Table};
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::plan::InterestLimits;

/// Reads `[interests]`, if it is there; what it does not name is not offered.
pub(super) fn limits(reader: &mut Reader, root: &Table<'_>) -> InterestLimits {
    let mut limits = InterestLimits::default();
    let Some(table) = root.get("interests").and_then(|value| reader.table("[interests]", "interests", value)) else {
        return limits;
    };
    let each = [
        ("categories", &mut limits.categories),
        ("brands", &mut limits.brands),
        ("queries", &mut limits.queries),
        ("products", &mut limits.products),
    ];
    reader.only(&table, &each.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    for (key, limit) in each {
        if let Some(given) = limit_of(reader, &table, key) {
            *limit = given;
        }
    }
    limits
}

fn limit_of(reader: &mut Reader, table: &Table<'_>, key: &str) -> Option<u8> {
    let value = table.get(key)?;
    let DeValue::Integer(number) = value.get_ref() else {
        reader.wrong_type(key, value, "a whole number");
        return None;
    };
    let max = InterestLimits::ITEMS_MAX;
    let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
    let limit = number.and_then(|number| u8::try_from(number).ok()).filter(|limit| usize::from(*limit) <= max);
    if limit.is_none() {
        let place = reader.place(value.span());
        let diagnostic = Diagnostic::new(Code::BadSetting, place, format!("`{key}` is not from 0 to {max}"));
        reader
            .report(diagnostic.help(format!("interests are counted over a customer's last {max} items: `{key} = 3`")));
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rules::load_text;
    use crate::rules::plan::Plan;

    const RULES: &str =
        "[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count() > 1'\n";

    fn plan_of(interests: &str) -> Plan {
        load_text("segments.toml", &format!("{interests}\n{RULES}")).expect("the settings are right").plan
    }

    fn titles_of(interests: &str) -> Vec<String> {
        let found = load_text("segments.toml", &format!("{interests}\n{RULES}")).expect_err("something is wrong");
        found.into_iter().map(|diagnostic| diagnostic.title.into()).collect()
    }

    #[test]
    fn only_what_is_named_is_offered() {
        let plan = plan_of("[interests]\ncategories = 3\nproducts = 32");
        let limits = InterestLimits { categories: 3, products: 32, ..InterestLimits::default() };
        assert_eq!(plan.interests, limits);
        assert!(plan.interests.any() && !plan_of("[interests]").interests.any());
    }

    #[test]
    fn they_are_part_of_the_version_once_they_are_there() {
        let without = plan_of("").version;
        assert_eq!(plan_of("[interests]\nbrands = 0").version, without);
        let three = plan_of("[interests]\nbrands = 3").version;
        assert_ne!(three, without);
        assert_ne!(plan_of("[interests]\nbrands = 4").version, three);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = "[interests]\ncategories = 33\nbrands = -1\nqueries = \"3\"\nproduct = 3";
        assert_eq!(
            titles_of(wrong),
            [
                "`categories` is not from 0 to 32",
                "`brands` is not from 0 to 32",
                "`queries` is a whole number, not a string",
                "[interests] has no setting `product`",
            ]
        );
    }
}
