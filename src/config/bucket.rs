//! `WEIR_CONTENT_URL`: a bucket for the files of updates, and what the environment says about the way to it.

use std::fmt;

use url::Url;

use super::reader::Reader;

/// What is taken from the environment for a bucket, by the names that all programs for S3 use. Never from the file: it
/// would be one more place with a secret in it.
const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ALLOW_HTTP",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
];
const KEY: &str = "content_url";
const FORM: &str = "an address like s3://bucket or s3://bucket/prefix belongs here";

/// A bucket that holds the files. Its variables may hold secrets, so they are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketConfig {
    pub name: String,
    /// Where in it; empty: at its top. No slash at either end.
    pub prefix: String,
    /// Name and value of each `AWS_` variable that is set.
    pub variables: Vec<(&'static str, String)>,
}

impl fmt::Display for BucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.name, self.prefix)
    }
}

impl fmt::Debug for BucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketConfig({self})")
    }
}

/// The bucket, when one is configured.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<BucketConfig> {
    let text = reader.text(KEY)?;
    let Some((name, prefix)) = parse(&text) else {
        reader.fault(KEY, FORM.to_owned());
        return None;
    };
    let variables: Vec<_> = VARIABLES.iter().filter_map(|name| Some((*name, reader.text(name)?))).collect();
    let is_set = |wanted: &str, value: &str| {
        variables.iter().any(|(name, text)| *name == wanted && text.to_ascii_lowercase().starts_with(value))
    };
    for endpoint in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        if is_set(endpoint, "http:") && !is_set("AWS_ALLOW_HTTP", "true") {
            let problem = "it would send files in plain HTTP; set AWS_ALLOW_HTTP=true to allow that";
            reader.fault(endpoint, problem.to_owned());
        }
    }
    Some(BucketConfig { name, prefix, variables })
}

/// Bucket and prefix. Only characters that need no escaping anywhere.
fn parse(text: &str) -> Option<(String, String)> {
    let url = Url::parse(text).ok()?;
    let plain = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
    };
    let prefix = url.path().trim_matches('/');
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let name = url.host_str().filter(|name| plain(name) && name.len() <= 63)?;
    let good = url.scheme() == "s3" && is_bare && (prefix.is_empty() || prefix.split('/').all(plain));
    good.then(|| (name.to_owned(), prefix.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::Config;

    fn load(variables: &[(&str, &str)]) -> Result<Option<BucketConfig>, String> {
        let environment = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Config::read(&environment).map(|config| config.content_bucket).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_bucket_is_an_address_and_the_way_to_it_is_the_environments() {
        assert_eq!(load(&[("AWS_REGION", "eu-central-1")]), Ok(None));
        let secret = ("AWS_SECRET_ACCESS_KEY", "hush");
        let bucket = load(&[("WEIR_CONTENT_URL", "s3://files/a/b/"), secret]).unwrap().unwrap();
        assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("files", "a/b"));
        assert_eq!(bucket.variables, [(secret.0, "hush".to_owned())]);
        assert_eq!(format!("{bucket:?}"), "BucketConfig(s3://files/a/b)", "no secret is shown");
        let top = load(&[("WEIR_CONTENT_URL", "s3://files")]).unwrap().unwrap();
        assert_eq!(top.to_string(), "s3://files");
    }

    #[test]
    fn an_address_of_another_form_is_refused() {
        for wrong in [
            "files",
            "s3://",
            "https://files",
            "s3://user:hush@files",
            "s3://files?x",
            "s3://files/a//b",
            "s3://files/.x",
            "s3://files/a b",
        ] {
            let fault = load(&[("WEIR_CONTENT_URL", wrong)]).unwrap_err();
            assert!(fault.contains("WEIR_CONTENT_URL") && fault.contains("s3://bucket"), "{wrong}: {fault}");
        }
    }

    #[test]
    fn plain_http_only_when_told() {
        let bucket = ("WEIR_CONTENT_URL", "s3://files");
        let endpoint = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000");
        let fault = load(&[bucket, endpoint]).unwrap_err();
        assert!(fault.contains("AWS_ENDPOINT_URL") && fault.contains("AWS_ALLOW_HTTP"), "{fault}");
        assert!(load(&[bucket, endpoint, ("AWS_ALLOW_HTTP", "true")]).is_ok());
        assert!(load(&[bucket, ("AWS_ENDPOINT_URL", "https://s3.example")]).is_ok());
    }
}
