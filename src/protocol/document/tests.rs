//! Whole documents: the shapes real servers send, and what must be refused.

use std::time::{Duration, Instant};

use super::*;

const NS: &str = r#"xmlns:upd="http://schemas.microsoft.com/msus/2002/12/Update""#;
const ID: &str = "10000000-0000-4000-8000-0000000000b1";

fn update(properties: &str, rest: &str) -> String {
    format!(
        "<upd:Update {NS}><upd:UpdateIdentity UpdateID=\"{ID}\" RevisionNumber=\"200\"/>\
         <upd:Properties {properties}</upd:Properties>{rest}</upd:Update>"
    )
}

fn software(rest: &str) -> String {
    update(r#"UpdateType="Software">"#, rest)
}

fn id(last: &str) -> uuid::Uuid {
    format!("10000000-0000-4000-8000-0000000000{last}").parse().unwrap()
}

#[test]
fn a_bundle_is_read_whole() {
    let document = UpdateDocument::parse(&update(
        r#"UpdateType="Software" DefaultPropertiesLanguage="en" ExplicitlyDeployable="true" MsrcSeverity="Important"
           PublicationState="Published" CreationDate="2026-02-10T18:00:00.000Z" EulaID="10000000-0000-4000-8000-0000000000e9">
           <upd:InstallationBehavior RebootBehavior="CanRequestReboot" Impact="Minor"/>
           <upd:Language>EN</upd:Language><upd:KBArticleID>KB1234567</upd:KBArticleID>
           <upd:SecurityBulletinID>MS26-001</upd:SecurityBulletinID><upd:SupportUrl>https://example.org/</upd:SupportUrl>"#,
        r#"<upd:LocalizedPropertiesCollection>
             <upd:LocalizedProperties><upd:Language>de</upd:Language><upd:Title>Titel &amp; mehr &#x41;</upd:Title></upd:LocalizedProperties>
             <upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title><![CDATA[2026-02 <Example>]]></upd:Title>
               <upd:Description>Words.</upd:Description><upd:MoreInfoUrl>https://example.org/more</upd:MoreInfoUrl></upd:LocalizedProperties>
             <upd:EulaFile Digest="2jmj7l5rSw0yVb/vlWAYkK/YBwk=" DigestAlgorithm="SHA1" FileName="eula.txt" Size="5" Language="en"/>
           </upd:LocalizedPropertiesCollection>
           <upd:Relationships>
             <upd:SupersededUpdates><upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000B0"/></upd:SupersededUpdates>
             <upd:Prerequisites><upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000a1"/>
               <upd:AtLeastOne IsCategory="true"><upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000d1"/></upd:AtLeastOne>
               <upd:AtLeastOne><upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000a2"/><upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000a3"/></upd:AtLeastOne></upd:Prerequisites>
             <upd:BundledUpdates><upd:AtLeastOne><upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000b2" RevisionNumber="201"/></upd:AtLeastOne>
               <upd:UpdateIdentity UpdateID="10000000-0000-4000-8000-0000000000b3" RevisionNumber="7"/></upd:BundledUpdates>
           </upd:Relationships>"#,
    ))
    .unwrap();
    assert_eq!(document.key.to_string(), format!("{ID} 200"));
    assert_eq!(document.kind, UpdateKind::Software);
    assert!(document.approvable && !document.expired);
    assert_eq!(document.severity, Severity::Important);
    assert_eq!(document.created.to_rfc3339(), "2026-02-10T18:00:00+00:00");
    assert_eq!(
        (document.kb, document.bulletins, document.languages),
        (vec!["1234567".to_owned()], vec!["MS26-001".to_owned()], vec!["en".to_owned()])
    );
    assert_eq!(document.titles[0].title, "Titel & mehr A");
    assert_eq!(document.titles[1].title, "2026-02 <Example>");
    assert_eq!(document.more_info_url, "https://example.org/more");
    assert_eq!(document.supersedes, [id("b0")]);
    let groups: Vec<_> =
        document.prerequisites.iter().map(|group| (group.is_category, group.any_of.len())).collect();
    assert_eq!(groups, [(false, 1), (true, 1), (false, 2)]);
    assert_eq!(document.bundles.len(), 2);
    assert_eq!(document.bundles[1][0].revision, 7);
    assert_eq!(document.install.reboot, "CanRequestReboot");
    assert_eq!(document.eula.unwrap().files[0].language, "en");
}

#[test]
fn titles_fall_back_along_the_chain() {
    let two = "<upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Language>fr</upd:Language><upd:Title>Un</upd:Title></upd:LocalizedProperties>\
               <upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title>One</upd:Title></upd:LocalizedProperties></upd:LocalizedPropertiesCollection>";
    let document =
        UpdateDocument::parse(&update(r#"UpdateType="Software" DefaultPropertiesLanguage="ja">"#, two))
            .unwrap();
    assert_eq!(document.title_in("FR"), "Un");
    assert_eq!(document.title_in("de"), "One");
    assert_eq!(UpdateDocument::parse(&software("")).unwrap().title(), ID);
}

#[test]
fn prefixes_do_not_matter_and_foreign_elements_are_ignored() {
    let text = format!(
        "<Update xmlns=\"http://schemas.microsoft.com/msus/2002/12/Update\"><x:UpdateIdentity xmlns:x=\"urn:other\" UpdateID=\"x\"/>\
         <UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"1\"/><Properties UpdateType=\"detectoid\"/><Later><Title>no</Title></Later></Update>",
        ID.to_uppercase()
    );
    let document = UpdateDocument::parse(&text).unwrap();
    assert_eq!(document.kind, UpdateKind::Detectoid);
    assert_eq!(document.key.update_id.to_string(), ID);
    assert!(document.titles.is_empty());
}

#[test]
fn categories_are_told_apart_also_without_a_type() {
    let of = |information: &str| {
        let rest = format!(
            "<upd:HandlerSpecificData xmlns:cat=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\">{information}</upd:HandlerSpecificData>"
        );
        let document = UpdateDocument::parse(&update(r#"UpdateType="Category">"#, &rest)).unwrap();
        (document.kind, document.category_type)
    };
    assert_eq!(of(""), (UpdateKind::Category, None));
    assert_eq!(of("<cat:CategoryInformation/>"), (UpdateKind::Category, None));
    assert_eq!(
        of(r#"<cat:CategoryInformation CategoryType="product"/>"#),
        (UpdateKind::Category, Some("Product".into()))
    );
    assert_eq!(
        of(r#"<cat:CategoryInformation CategoryType="UpdateClassification"/>"#),
        (UpdateKind::Classification, Some("UpdateClassification".into()))
    );
}

#[test]
fn r116_files_with_bad_digests_are_kept_but_not_usable() {
    let good = r#"Digest="2jmj7l5rSw0yVb/vlWAYkK/YBwk=" DigestAlgorithm="SHA1" FileName="a.exe" Size="0""#;
    for (attributes, child, problem) in [
        (good, "", None),
        (
            good,
            r#"<upd:AdditionalDigest Algorithm="SHA256">47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</upd:AdditionalDigest>"#,
            None,
        ),
        (
            good,
            r#"<upd:AdditionalDigest Algorithm="SHA256">AAAA</upd:AdditionalDigest>"#,
            Some(FileProblem::Digest),
        ),
        (r#"Digest="" FileName="a.exe" Size="0""#, "", Some(FileProblem::Digest)),
        (r#"Digest="AAAA" FileName="a.exe" Size="0""#, "", Some(FileProblem::Digest)),
        (
            r#"Digest="AAAA" DigestAlgorithm="MD5" FileName="a.exe" Size="0""#,
            "",
            Some(FileProblem::Algorithm),
        ),
        (
            r#"Digest="2jmj7l5rSw0yVb/vlWAYkK/YBwk=" FileName="..\..\a.exe" Size="-5""#,
            "",
            Some(FileProblem::Size),
        ),
    ] {
        let document = UpdateDocument::parse(&software(&format!(
            "<upd:Files><upd:File {attributes}>{child}</upd:File></upd:Files>"
        )))
        .unwrap();
        assert_eq!(document.files[0].problem, problem, "{attributes}");
        assert_eq!(document.files[0].usable(), problem.is_none());
    }
}

#[test]
fn p56_odd_and_unreadable_dates_cost_no_revision() {
    for (written, year) in
        [("0001-01-01T00:00:00", "0001"), ("9999-12-31T23:59:59.9999999Z", "9999"), ("soon", "1970")]
    {
        let document = UpdateDocument::parse(&update(
            &format!(r#"UpdateType="Software" CreationDate="{written}">"#),
            "",
        ))
        .unwrap();
        assert!(document.created.to_rfc3339().starts_with(year), "{written}");
    }
}

#[test]
fn r096_a_document_type_is_refused_at_once() {
    let bomb =
        format!("<!DOCTYPE lolz [<!ENTITY a \"{}\"><!ENTITY b \"&a;&a;\">]><x>&b;</x>", "a".repeat(1000));
    for text in [
        &bomb,
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://x/\"> %p;]><a/>",
    ] {
        let begun = Instant::now();
        assert!(matches!(UpdateDocument::parse(text), Err(DocumentError::DocumentType)), "{text:.60}");
        assert!(begun.elapsed() < Duration::from_millis(500));
    }
    assert!(matches!(UpdateDocument::parse(&software("&secret;")), Err(DocumentError::NotWellFormed { .. })));
}

#[test]
fn nul_is_refused_in_every_disguise() {
    for rest in ["\0", "&#0;", "&#x0;", "<upd:Files><upd:File FileName=\"a&#0;b\"/></upd:Files>"] {
        assert!(
            matches!(UpdateDocument::parse(&software(rest)), Err(DocumentError::NulCharacter)),
            "{rest:?}"
        );
    }
    let raw = software("<upd:Files><upd:File FileName=\"a\0b\"/></upd:Files>");
    assert!(matches!(UpdateDocument::parse(&raw), Err(DocumentError::NulCharacter)));
}

#[test]
fn r097_deep_nesting_is_refused() {
    let deep = software(&format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)));
    assert!(matches!(UpdateDocument::parse(&deep), Err(DocumentError::TooDeep { .. })));
}

#[test]
fn r098_too_many_attributes_or_namespaces_are_refused_quickly() {
    let many: String = (0..100_000).map(|number| format!(" a{number}=\"\"")).collect();
    let spaces: String = (0..100_000).map(|number| format!(" xmlns:a{number}=\"u\"")).collect();
    let begun = Instant::now();
    assert!(matches!(
        UpdateDocument::parse(&software(&format!("<x{many}/>"))),
        Err(DocumentError::TooMany { .. })
    ));
    assert!(UpdateDocument::parse(&software(&format!("<x{spaces}/>"))).is_err());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn r099_one_giant_text_is_refused_where_it_is_wanted_and_skipped_elsewhere() {
    let giant = "x".repeat(2_000_000);
    let title = format!(
        "<upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Title>{giant}</upd:Title></upd:LocalizedProperties></upd:LocalizedPropertiesCollection>"
    );
    assert!(matches!(UpdateDocument::parse(&software(&title)), Err(DocumentError::TooLong { .. })));
    assert!(
        UpdateDocument::parse(&software(&format!(
            "<upd:ApplicabilityRules>{giant}</upd:ApplicabilityRules>"
        )))
        .is_ok()
    );
}

#[test]
fn r112_bad_ids_and_revision_numbers_are_refused() {
    let with = |id: &str, number: &str| {
        UpdateDocument::parse(&format!(
            "<upd:Update {NS}><upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"{number}\"/><upd:Properties UpdateType=\"Software\"/></upd:Update>"
        ))
    };
    assert!(with(ID, "1").is_ok());
    for (id, number) in [
        ("", "1"),
        ("00000000-0000-0000-0000-000000000000", "1"),
        (&ID[1..], "1"),
        (ID, "-1"),
        (ID, "x"),
        (ID, "99999999999"),
    ] {
        assert!(matches!(with(id, number), Err(DocumentError::BadValue { .. })), "{id} {number}");
    }
}

#[test]
fn what_is_incomplete_or_no_update_is_refused() {
    let whole = software("");
    for end in 0..whole.len() {
        assert!(UpdateDocument::parse(&whole[..end]).is_err(), "cut at {end}");
    }
    assert!(matches!(UpdateDocument::parse("<html/>"), Err(DocumentError::NotAnUpdate { .. })));
    assert!(matches!(UpdateDocument::parse(""), Err(DocumentError::CutOff)));
    assert!(matches!(
        UpdateDocument::parse(&format!("{whole}<x/>")),
        Err(DocumentError::NotWellFormed { .. })
    ));
    assert!(matches!(
        UpdateDocument::parse(&update(r#"UpdateType="Hat">"#, "")),
        Err(DocumentError::BadValue { .. })
    ));
    let nothing = format!("<upd:Update {NS}/>");
    assert!(matches!(UpdateDocument::parse(&nothing), Err(DocumentError::Missing { .. })));
}

#[test]
fn r115_every_byte_changed_is_survived() {
    let whole = software("<upd:Files><upd:File Digest=\"2jmj\" FileName=\"&lt;a\" Size=\"1\"/></upd:Files>")
        .into_bytes();
    for at in 0..whole.len() {
        for replacement in [b'<', b'>', b'"', b'&', b'\0', b'0', b' ', whole[at] ^ 0x20] {
            let mut bad = whole.clone();
            bad[at] = replacement;
            if let Ok(text) = std::str::from_utf8(&bad) {
                let _ = UpdateDocument::parse(text);
            }
        }
    }
}
