//! Dimensions as people name them on the command line.

use crate::rules::diagnostic::nearest;

/// Whether those that are asked for are among the `names` there are. The error is for people.
pub fn check<'n>(asked: &[String], names: impl Iterator<Item = &'n str> + Clone) -> Result<(), String> {
    let is_known = |asked: &&String| names.clone().any(|name| name == **asked);
    let Some(unknown) = asked.iter().find(|asked| !is_known(asked)) else { return Ok(()) };
    Err(match nearest(unknown, names.clone()) {
        Some(near) => format!("there is no dimension `{unknown}`; did you mean `{near}`?"),
        None => format!("there is no dimension `{unknown}`; there are {}", names.collect::<Vec<_>>().join(", ")),
    })
}
