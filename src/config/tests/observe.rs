//! Observing, as it is configured.

use super::*;

#[test]
fn a_database_can_be_observed() {
    assert!(!load(DATABASE, &[]).unwrap().databases["shop"].observe);
    let text = format!("{DATABASE}observe = true\n[observe]\nkeep = \"7d\"\nmax_rows = 10_000\n");
    let config = load(&text, &[]).unwrap();
    assert!(config.databases["shop"].observe);
    assert_eq!(config.observe.keep, Duration::from_hours(7 * 24));
    assert_eq!(config.observe.max_rows, 10_000);
    for (value, expected) in [("true", Some(true)), ("false", Some(false)), ("yes", None)] {
        let loaded = load(&text, &[("HOLDPOINT_DATABASES__SHOP__OBSERVE", value)]);
        let observe = loaded.map(|config| config.databases["shop"].observe);
        assert_eq!(observe.ok(), expected, "{value}");
    }
}

#[test]
fn what_is_wrong_with_it_is_named() {
    let text = format!("{DATABASE}observe = 1\n[observe]\nkeep = \"59m\"\nmax_rows = 0\n");
    assert_eq!(
        problems(&text, &[]),
        [
            "etc/holdpoint.toml:3: databases.shop.observe: expected true or false, found a whole number",
            "etc/holdpoint.toml:5: observe.keep: must be at least 1h: sightings are counted by the hour",
            "etc/holdpoint.toml:6: observe.max_rows: must be at least 1",
        ]
    );
}
