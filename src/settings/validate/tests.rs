//! One rule, one test; the values are those of the fault list.

use chrono::NaiveTime;

use super::super::builtin;
use super::*;

fn defaults() -> SyncOptions {
    let tick = |id: Uuid, kind, with_descendants| Selected { category_id: id, kind, with_descendants };
    SyncOptions {
        version: 1,
        saved_at: chrono::DateTime::UNIX_EPOCH,
        saved_by: "weir".to_owned(),
        schedule: Schedule {
            mode: ScheduleMode::Manual,
            time: NaiveTime::from_hms_opt(3, 0, 0).unwrap(),
            per_day: 1,
            time_zone: chrono_tz::UTC,
        },
        source: Source {
            kind: SourceKind::MicrosoftUpdate,
            server: String::new(),
            port: 8530,
            ssl: false,
            ca: String::new(),
            content_port: None,
        },
        replica: false,
        proxy: Proxy {
            enabled: false,
            server: String::new(),
            port: 80,
            credentials: false,
            user: String::new(),
            domain: String::new(),
            password: None,
            basic: false,
        },
        files: Files {
            store: FileStore::Local,
            deferred: true,
            express: false,
            from_microsoft: false,
            languages: Languages::All,
        },
        selections: vec![
            tick(SECURITY, CategoryKind::Classification, false),
            tick(builtin::WINDOWS, CategoryKind::Product, true),
        ],
    }
}

const SECURITY: Uuid = uuid::uuid!("0fa1201d-4330-4fa8-8ae9-b877473b6441");
const WINDOWS_11: &str = "72e7624a-5b00-45d2-b92f-e561c0a6a160";

fn typed(values: &[(&str, &str)]) -> Typed {
    let values =
        values.iter().map(|(name, value)| (Key::parse(name).expect("a known key"), (*value).to_owned()));
    Typed { values: values.collect(), password: PasswordInput::Keep }
}

fn run(current: &SyncOptions, typed: &Typed) -> Result<Valid, FieldErrors> {
    let tree = CategoryTree::new(builtin::nodes(&[]));
    let own = OwnServices::new("127.0.0.1:8530".parse().unwrap(), "weir01");
    validate(current, typed, World { tree: &tree, own: &own })
}

fn set(values: &[(&str, &str)]) -> Result<SyncOptions, FieldErrors> {
    run(&defaults(), &typed(values)).map(|valid| valid.options)
}

fn refused(values: &[(&str, &str)]) -> Vec<&'static str> {
    let errors = set(values).expect_err("refused");
    errors.0.iter().map(|one| one.key.name()).collect()
}

#[test]
fn nothing_typed_changes_nothing() {
    assert_eq!(set(&[]), Ok(defaults()));
}

#[test]
fn an_upstream_server_is_normalised() {
    let source = [
        ("source.kind", "upstream"),
        ("source.server", " WSUS01.Corp.Example. "),
        ("source.port", " 8531 "),
        ("source.ssl", "true"),
    ];
    let options = set(&source).unwrap();
    assert_eq!(options.source.server, "wsus01.corp.example");
    assert_eq!((options.source.port, options.source.ssl), (8531, true));
    assert_eq!(options.source.content_port(), 8530);
}

#[test]
fn every_fault_is_named_at_once_in_the_order_of_the_page() {
    let faults = refused(&[
        ("source.kind", "upstream"),
        ("source.server", "http://wsus01"),
        ("source.port", "70000"),
        ("proxy.enabled", "true"),
        ("proxy.port", "0"),
        ("schedule.mode", "daily"),
        ("schedule.time", "24:00"),
        ("schedule.per_day", "25"),
        ("schedule.time_zone", "Nowhere/City"),
        ("products", ""),
        ("classifications", ""),
    ]);
    let expected = [
        "schedule.time",
        "schedule.per_day",
        "schedule.time_zone",
        "products",
        "classifications",
        "proxy.server",
        "proxy.port",
        "source.server",
        "source.port",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn what_is_not_in_force_is_kept_if_valid_and_else_left_as_it_was() {
    let options = set(&[
        ("source.server", "wsus01"),
        ("source.port", "70000"),
        ("proxy.server", "http://bad"),
        ("proxy.port", "3128"),
        ("schedule.time", "7:5"),
        ("schedule.per_day", "4"),
    ])
    .unwrap();
    assert_eq!((options.source.server.as_str(), options.source.port), ("wsus01", 8530));
    assert_eq!((options.proxy.server.as_str(), options.proxy.port), ("", 3128));
    assert_eq!(options.schedule.per_day, 4);
    assert_eq!(options.schedule.time, defaults().schedule.time);
}

#[test]
fn this_server_itself_is_no_source() {
    for host in ["localhost", "127.0.0.1", "[::1]", "weir01"] {
        let own = [("source.kind", "upstream"), ("source.server", host)];
        assert_eq!(refused(&own), ["source.server"], "{host}");
        let other = [("source.kind", "upstream"), ("source.server", host), ("source.port", "8531")];
        assert!(set(&other).is_ok(), "{host}");
    }
}

#[test]
fn switching_on_what_lacks_a_value_is_refused() {
    assert_eq!(refused(&[("source.kind", "upstream")]), ["source.server"]);
    assert_eq!(refused(&[("proxy.enabled", "true")]), ["proxy.server"]);
    let no_user = [("proxy.enabled", "true"), ("proxy.server", "p"), ("proxy.credentials", "true")];
    assert_eq!(refused(&no_user), ["proxy.user"]);
}

#[test]
fn a_family_stands_for_what_is_below_and_unknown_ids_are_named() {
    let options = set(&[("products", &format!("{WINDOWS_11}, {WINDOWS_11}"))]).unwrap();
    let products: Vec<Selected> = options.selected(CategoryKind::Product).collect();
    assert_eq!(products.len(), 1);
    assert!(!products[0].with_descendants);
    let errors = set(&[("products", "11111111-1111-1111-1111-111111111111")]).unwrap_err();
    assert!(errors.of(Key::Products).unwrap().starts_with("11111111-1111"));
    // a classification is not a product
    assert_eq!(refused(&[("products", &SECURITY.to_string())]), ["products"]);
    assert_eq!(refused(&[("products", "drop table")]), ["products"]);
    let many = vec![WINDOWS_11; 100_000].join(",");
    assert_eq!(refused(&[("products", &many)]), ["products"]);
}

#[test]
fn r133_the_password_belongs_to_its_server_and_user() {
    let mut current = defaults();
    current.proxy = Proxy {
        enabled: true,
        server: "proxy".to_owned(),
        credentials: true,
        user: "svc".to_owned(),
        password: Some(vec![1, 2, 3]),
        ..current.proxy
    };
    for moved in [("proxy.server", "other"), ("proxy.user", "other")] {
        let errors = run(&current, &typed(&[moved])).unwrap_err();
        assert!(errors.of(Key::ProxyPassword).is_some(), "{moved:?}");
        let again = Typed {
            password: PasswordInput::Replace(Zeroizing::new("secret".to_owned())),
            ..typed(&[moved])
        };
        assert!(run(&current, &again).unwrap().new_password.is_some());
    }
    let removed = Typed { password: PasswordInput::Remove, ..typed(&[]) };
    assert_eq!(run(&current, &removed).unwrap().options.proxy.password, None);
    // switched off, the name stays with the password it belongs to
    let off = run(&current, &typed(&[("proxy.enabled", "false"), ("proxy.server", "other")]));
    assert_eq!(off.unwrap().options.proxy.server, "proxy");
}

#[test]
fn r131_a_colon_before_the_password_is_refused_for_basic_only() {
    let account = |name, value, basic| {
        [
            ("proxy.enabled", "true"),
            ("proxy.server", "proxy"),
            ("proxy.credentials", "true"),
            ("proxy.user", "svc"),
            ("proxy.basic", basic),
            (name, value),
        ]
    };
    assert_eq!(refused(&account("proxy.domain", "CO:RP", "true")), ["proxy.domain"]);
    for (name, value) in [("proxy.user", "s:vc"), ("proxy.domain", "CO:RP")] {
        assert!(set(&account(name, value, "false")).is_ok());
    }
    let longest = "ü".repeat(text::WORD_LEN_MAX);
    for user in ["CORP\\svc", "svc@corp.example", "Jürgen 石", &longest] {
        assert!(set(&account("proxy.user", user, "true")).is_ok(), "{user}");
    }
}

#[test]
fn a_replica_takes_its_choice_from_upstream() {
    assert_eq!(refused(&[("replica", "true")]), ["source.kind"]);
    let replica = [("replica", "true"), ("source.kind", "upstream"), ("source.server", "wsus01")];
    let current = set(&replica).unwrap();
    for locked in [("products", WINDOWS_11), ("files.store", "source"), ("files.languages", "en")] {
        let errors = run(&current, &typed(&[locked])).unwrap_err();
        assert!(errors.any_locked(), "{locked:?}");
    }
    let errors = run(&current, &typed(&[("source.kind", "microsoft-update")])).unwrap_err();
    assert!(errors.any_locked());
    assert!(run(&current, &typed(&[("schedule.mode", "daily")])).is_ok());
}

#[test]
fn r209_unknown_ids_are_named_repeated_ones_fold_and_too_many_are_refused() {
    let tree = CategoryTree::new(builtin::nodes(&[]));
    let parse = |typed: &str| parse_ticks(typed, &[], &tree, CategoryKind::Product);
    let unknown = Uuid::from_u128(0xbad);
    let refused = parse(&format!("{WINDOWS_11},{unknown}")).unwrap_err();
    assert_eq!(refused, format!("{unknown} is not a product this server knows."));
    let twice = parse(&format!("{WINDOWS_11}, {},{WINDOWS_11}", WINDOWS_11.to_uppercase())).unwrap();
    assert_eq!(twice.len(), 1);
    let classification = parse_ticks(WINDOWS_11, &[], &tree, CategoryKind::Classification).unwrap_err();
    assert!(classification.ends_with("is not a classification this server knows."), "{classification}");
    let many = vec![WINDOWS_11; 100_000].join(",");
    assert_eq!(parse(&many).unwrap_err(), format!("Select at most {TICKS_MAX} of these."));
}
