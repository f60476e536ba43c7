//! DownloadFiles: asks an upstream server to fetch files it does not have yet. Source: MS-WSUSSS 3.1.4.13.

use std::io::BufRead;

use super::{Cookie, Reply, ReplyError, Request, wrong_message};
use crate::protocol::ProtocolError;
use crate::protocol::ids::Sha1Digest;
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Fault, Message, Method, Reader, SoapVersion, Writer};

/// Digests of one request. Source: MS-WSUSSS 3.1.4.13.
pub const DIGESTS_MAX: usize = 100;
/// Digests that are read before a request is refused as too long; one more than allowed would do. Ours.
const READ_MAX: usize = 1_000;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadFiles {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    pub digests: Vec<Sha1Digest>,
}

/// The answer says nothing: the files come, or they do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadFilesReply;

impl Request for DownloadFiles {
    const METHOD: Method = Method::DownloadFiles;
    type Reply = DownloadFilesReply;

    fn write(&self, writer: &mut Writer) {
        if let Some(cookie) = &self.cookie {
            cookie.write(writer, "cookie");
        }
        writer.open("fileDigestList");
        for digest in &self.digests {
            writer.base64("base64Binary", &digest.0);
        }
        writer.close("fileDigestList");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut cookie, mut digests) = (Once::new("cookie"), Once::new("fileDigestList"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "cookie" => cookie.set(Cookie::read_in_request(reader)?)?,
                "fileDigestList" => digests
                    .set(read_digests(reader).map_err(|error| error.in_parameter("fileDigestList"))?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            cookie: cookie.optional().flatten(),
            digests: digests.required().map_err(|error| error.in_parameter("fileDigestList"))?,
        })
    }
}

fn read_digests(reader: &mut Reader<'_>) -> Result<Vec<Sha1Digest>, ProtocolError> {
    let mut digests = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != "base64Binary" || item.nil {
            reader.skip()?;
            continue;
        }
        if digests.len() == READ_MAX {
            return Err(ProtocolError::TooMany { field: "fileDigestList", max: READ_MAX });
        }
        digests.push(fields::parsed(reader, &item, "fileDigestList", Sha1Digest::from_base64)?);
    }
    Ok(digests)
}

impl Reply for DownloadFilesReply {
    const METHOD: Method = Method::DownloadFiles;

    fn write(&self, _: &mut Writer) {}

    /// Never called: there is no result element to read.
    fn read(_: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(Self)
    }

    /// An empty response element.
    fn to_bytes(&self, version: SoapVersion) -> Vec<u8> {
        let mut writer = Writer::new(version);
        writer.open_in(Self::METHOD.namespace(), Self::METHOD.response_name());
        writer.close(Self::METHOD.response_name());
        writer.finish()
    }

    /// Whatever stands in the response element is of no meaning.
    fn from_reader(message: impl BufRead + Send) -> Result<Self, ReplyError> {
        let message = Message::from_reader(message)?;
        if message.is_fault() {
            return Err(ReplyError::Fault(Box::new(Fault::from_message(message)?)));
        }
        if message.element.name != Self::METHOD.response_name() {
            return Err(wrong_message(Self::METHOD.response_name(), &message).into());
        }
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_and_answer_come_back_as_they_were() {
        let ask = DownloadFiles { cookie: None, digests: vec![Sha1Digest([7; 20]), Sha1Digest([0x0a; 20])] };
        for version in [SoapVersion::V11, SoapVersion::V12] {
            let written = ask.to_bytes(version);
            assert_eq!(DownloadFiles::from_message(Message::open(&written).unwrap()).unwrap(), ask);
            let answer = DownloadFilesReply.to_bytes(version);
            assert_eq!(DownloadFilesReply::from_bytes(&answer).unwrap(), DownloadFilesReply);
        }
    }

    #[test]
    fn a_digest_of_another_length_names_the_parameter() {
        let ask = DownloadFiles { cookie: None, digests: vec![Sha1Digest([7; 20])] };
        let text = String::from_utf8(ask.to_bytes(SoapVersion::V11)).unwrap();
        let text = text.replace("<base64Binary>", "<base64Binary>AAAA");
        let error = DownloadFiles::from_message(Message::open(text.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(error.parameter(), Some("fileDigestList"));
    }
}
