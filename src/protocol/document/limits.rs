//! What a document may contain at most. All of these bounds are ours; the largest real documents are far below.

/// Bytes of one decoded document (UTF-8).
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Elements inside each other.
pub const DEPTH_MAX: usize = 256;
/// Elements of one document.
pub const ELEMENTS_MAX: usize = 8_000_000;
/// Attributes of one element.
pub const ATTRIBUTES_MAX: usize = 256;
/// Namespace declarations in force at one place.
pub const NAMESPACES_MAX: usize = 1_024;
/// Bytes of one attribute we read.
pub const ATTRIBUTE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one text we read (a title, a description, a URL).
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Prerequisites, superseded updates and bundled revisions of one document together.
pub const RELATIONS_MAX: usize = 30_000;
/// Files of one document.
pub const FILES_MAX: usize = 10_000;
/// Languages with a title in one document.
pub const TITLES_MAX: usize = 500;
/// Knowledge base articles, bulletins and languages of one document, each.
pub const LABELS_MAX: usize = 1_000;
/// Driver descriptions of one document that we keep; more are ignored.
pub const DRIVERS_MAX: usize = 1_000;
