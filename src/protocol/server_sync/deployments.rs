//! GetDeployments: groups, approvals and declines of an upstream server, for its replicas.
//! Source: MS-WSUSSS 3.1.4.7 and 2.2.4 (ServerSyncDeploymentResult).

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

use super::{Cookie, Reply, Request};
use crate::protocol::ids::{DeploymentAnchor, RevisionKey, SyncAnchor, parse_guid, parse_id};
use crate::protocol::soap::fields::{self, Once};
use crate::protocol::soap::{Element, Method, Reader, Writer};
use crate::protocol::{ProtocolError, time};

/// Groups of an answer. Ours.
pub const GROUPS_MAX: usize = 10_000;
/// Entries of each other list of an answer. Ours.
pub const ENTRIES_MAX: usize = 1_000_000;
/// Years in which a deadline means a moment; outside of them it means "none".
const DEADLINE_YEARS: std::ops::Range<i32> = 1900..3000;

/// Whether a reader of the answer takes this moment for a deadline.
pub fn is_deadline(moment: &DateTime<Utc>) -> bool {
    DEADLINE_YEARS.contains(&moment.year())
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetDeployments {
    /// `None` when absent or empty.
    pub cookie: Option<Cookie>,
    /// The anchor of the last answer; `None` the first time.
    pub deployment_anchor: Option<DeploymentAnchor>,
    /// The anchor of the last GetRevisionIdList; nothing newer is answered.
    pub sync_anchor: SyncAnchor,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncTargetGroup {
    pub group_id: Uuid,
    /// All zeros at the root.
    pub parent_id: Uuid,
    pub name: String,
    pub builtin: bool,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncDeployment {
    pub key: RevisionKey,
    /// 0 install, 1 uninstall, 2 scan only, 3 block.
    pub action: i32,
    pub admin_name: Option<String>,
    /// `None` for the moments that stand for it.
    pub deadline: Option<DateTime<Utc>>,
    pub assigned: bool,
    pub go_live: DateTime<Utc>,
    /// Stable name of this approval.
    pub deployment_id: Uuid,
    pub group_id: Uuid,
    /// 1 low to 3 high.
    pub priority: u8,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetDeploymentsReply {
    pub anchor: DeploymentAnchor,
    /// Always all of them.
    pub groups: Vec<SyncTargetGroup>,
    /// Added or changed since the anchor of the question.
    pub deployments: Vec<SyncDeployment>,
    /// Withdrawn since then.
    pub dead_deployments: Vec<Uuid>,
    /// Declined updates, always all of them.
    pub hidden_updates: Vec<Uuid>,
    /// Accepted license terms, always all of them.
    pub accepted_licenses: Vec<Uuid>,
}

impl Request for GetDeployments {
    const METHOD: Method = Method::GetDeployments;
    type Reply = GetDeploymentsReply;

    fn write(&self, writer: &mut Writer) {
        if let Some(cookie) = &self.cookie {
            cookie.write(writer, "cookie");
        }
        if let Some(anchor) = &self.deployment_anchor {
            writer.text("deploymentAnchor", anchor.as_str());
        }
        writer.text("syncAnchor", self.sync_anchor.as_str());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let mut cookie = Once::new("cookie");
        let (mut deployments, mut sync) = (Once::new("deploymentAnchor"), Once::new("syncAnchor"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "cookie" => cookie.set(Cookie::read_in_request(reader)?)?,
                "deploymentAnchor" => deployments.set(fields::string(reader, &field)?)?,
                "syncAnchor" => sync.set(fields::string(reader, &field)?)?,
                _ => reader.skip()?,
            }
        }
        let sync = sync.optional().filter(|text| !text.trim().is_empty());
        let sync = sync.ok_or(ProtocolError::Missing { field: "syncAnchor" });
        let deployments = deployments.optional().filter(|text| !text.trim().is_empty());
        Ok(Self {
            cookie: cookie.optional().flatten(),
            deployment_anchor: deployments
                .map(DeploymentAnchor::parse)
                .transpose()
                .map_err(|error| error.in_parameter("deploymentAnchor"))?,
            sync_anchor: sync
                .and_then(SyncAnchor::parse)
                .map_err(|error| error.in_parameter("syncAnchor"))?,
        })
    }
}

impl Reply for GetDeploymentsReply {
    const METHOD: Method = Method::GetDeployments;

    fn write(&self, writer: &mut Writer) {
        writer.open("GetDeploymentsResult");
        writer.text("Anchor", self.anchor.as_str());
        list(writer, "Groups", &self.groups, SyncTargetGroup::write);
        list(writer, "Deployments", &self.deployments, SyncDeployment::write);
        let guid = |id: &Uuid, writer: &mut Writer| writer.value("guid", id.hyphenated());
        list(writer, "DeadDeployments", &self.dead_deployments, guid);
        list(writer, "HiddenUpdates", &self.hidden_updates, guid);
        list(writer, "AcceptedEulas", &self.accepted_licenses, guid);
        writer.close("GetDeploymentsResult");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut anchor, mut groups) = (Once::new("Anchor"), Once::new("Groups"));
        let (mut deployments, mut dead) = (Once::new("Deployments"), Once::new("DeadDeployments"));
        let (mut hidden, mut licenses) = (Once::new("HiddenUpdates"), Once::new("AcceptedEulas"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "Anchor" => anchor.set(DeploymentAnchor::parse(fields::string(reader, &field)?)?)?,
                "Groups" => {
                    groups.set(read_list(
                        reader,
                        "ServerSyncTargetGroup",
                        GROUPS_MAX,
                        SyncTargetGroup::read,
                    )?)?;
                }
                "Deployments" => {
                    let read = SyncDeployment::read;
                    deployments.set(read_list(reader, "ServerSyncDeployment", ENTRIES_MAX, read)?)?;
                }
                "DeadDeployments" => dead.set(read_guids(reader)?)?,
                "HiddenUpdates" => hidden.set(read_guids(reader)?)?,
                "AcceptedEulas" => licenses.set(read_guids(reader)?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            anchor: anchor.required()?,
            groups: groups.optional().unwrap_or_default(),
            deployments: deployments.optional().unwrap_or_default(),
            dead_deployments: dead.optional().unwrap_or_default(),
            hidden_updates: hidden.optional().unwrap_or_default(),
            accepted_licenses: licenses.optional().unwrap_or_default(),
        })
    }
}

impl SyncTargetGroup {
    fn write(&self, writer: &mut Writer) {
        writer.open("ServerSyncTargetGroup");
        writer.value("TargetGroupID", self.group_id.hyphenated());
        writer.value("ParentGroupId", self.parent_id.hyphenated());
        writer.text("Name", &self.name);
        writer.value("IsBuiltin", self.builtin);
        writer.close("ServerSyncTargetGroup");
    }

    /// A missing parent is read as the root's; the specification's own sample leaves it out once.
    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut id, mut parent) = (Once::new("TargetGroupID"), Once::new("ParentGroupId"));
        let (mut name, mut builtin) = (Once::new("Name"), Once::new("IsBuiltin"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "TargetGroupID" => id.set(fields::parsed(reader, &field, "TargetGroupID", parse_id)?)?,
                "ParentGroupId" => {
                    parent.set(fields::parsed(reader, &field, "ParentGroupId", parse_guid)?)?;
                }
                "Name" => name.set(fields::string(reader, &field)?)?,
                "IsBuiltin" => builtin.set(fields::boolean(reader, &field, "IsBuiltin")?)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            group_id: id.required()?,
            parent_id: parent.optional().unwrap_or_default(),
            name: name.optional().unwrap_or_default(),
            builtin: builtin.optional().unwrap_or(false),
        })
    }
}

impl SyncDeployment {
    fn write(&self, writer: &mut Writer) {
        writer.open("ServerSyncDeployment");
        writer.value("UpdateId", self.key.update_id.hyphenated());
        writer.value("RevisionNumber", self.key.revision);
        writer.value("Action", self.action);
        if let Some(name) = &self.admin_name {
            writer.text("AdminName", name);
        }
        writer.text("Deadline", &self.deadline.map_or(time::NEVER_EXPIRES.to_owned(), time::format));
        writer.value("IsAssigned", self.assigned);
        writer.text("GoLiveTime", &time::format(self.go_live));
        writer.value("DeploymentGuid", self.deployment_id.hyphenated());
        writer.value("TargetGroupId", self.group_id.hyphenated());
        writer.value("DownloadPriority", self.priority);
        writer.close("ServerSyncDeployment");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let (mut update, mut revision) = (Once::new("UpdateId"), Once::new("RevisionNumber"));
        let (mut action, mut admin) = (Once::new("Action"), Once::new("AdminName"));
        let (mut deadline, mut assigned) = (Once::new("Deadline"), Once::new("IsAssigned"));
        let (mut go_live, mut id) = (Once::new("GoLiveTime"), Once::new("DeploymentGuid"));
        let (mut group, mut priority) = (Once::new("TargetGroupId"), Once::new("DownloadPriority"));
        while let Some(field) = reader.next_field()? {
            match field.name.as_str() {
                "UpdateId" => update.set(fields::parsed(reader, &field, "UpdateId", parse_id)?)?,
                "RevisionNumber" => revision.set(fields::integer(reader, &field, "RevisionNumber")?)?,
                "Action" => action.set(fields::integer(reader, &field, "Action")?)?,
                "AdminName" => admin.set(fields::string(reader, &field)?)?,
                "Deadline" => deadline.set(fields::parsed(reader, &field, "Deadline", time::parse)?)?,
                "IsAssigned" => assigned.set(fields::boolean(reader, &field, "IsAssigned")?)?,
                "GoLiveTime" => go_live.set(fields::parsed(reader, &field, "GoLiveTime", time::parse)?)?,
                "DeploymentGuid" => id.set(fields::parsed(reader, &field, "DeploymentGuid", parse_id)?)?,
                "TargetGroupId" => group.set(fields::parsed(reader, &field, "TargetGroupId", parse_id)?)?,
                "DownloadPriority" => {
                    priority.set(fields::parsed(reader, &field, "DownloadPriority", str::parse::<u8>)?)?;
                }
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            key: RevisionKey { update_id: update.required()?, revision: revision.required()? },
            action: action.required()?,
            admin_name: admin.optional().filter(|name| !name.is_empty()),
            deadline: deadline.optional().filter(is_deadline),
            assigned: assigned.optional().unwrap_or(true),
            go_live: go_live.optional().unwrap_or(DateTime::UNIX_EPOCH),
            deployment_id: id.required()?,
            group_id: group.required()?,
            priority: priority.optional().unwrap_or(1),
        })
    }
}

fn list<T>(writer: &mut Writer, name: &str, items: &[T], write: impl Fn(&T, &mut Writer)) {
    if items.is_empty() {
        return writer.empty(name);
    }
    writer.open(name);
    for item in items {
        write(item, writer);
    }
    writer.close(name);
}

fn read_list<T>(
    reader: &mut Reader<'_>,
    item_name: &'static str,
    max: usize,
    read: impl Fn(&mut Reader<'_>) -> Result<T, ProtocolError>,
) -> Result<Vec<T>, ProtocolError> {
    read_items(reader, item_name, max, |reader, _| read(reader))
}

fn read_guids(reader: &mut Reader<'_>) -> Result<Vec<Uuid>, ProtocolError> {
    read_items(reader, "guid", ENTRIES_MAX, |reader, item| fields::parsed(reader, item, "guid", parse_guid))
}

fn read_items<T>(
    reader: &mut Reader<'_>,
    item_name: &'static str,
    max: usize,
    read: impl Fn(&mut Reader<'_>, &Element) -> Result<T, ProtocolError>,
) -> Result<Vec<T>, ProtocolError> {
    let mut items = Vec::new();
    while let Some(item) = reader.next_field()? {
        if item.name != item_name || item.nil {
            reader.skip()?;
            continue;
        }
        if items.len() == max {
            return Err(ProtocolError::TooMany { field: item_name, max });
        }
        items.push(read(reader, &item)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::soap::{Message, SoapVersion};

    fn reply() -> GetDeploymentsReply {
        let moment = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let id = Uuid::from_u128;
        GetDeploymentsReply {
            anchor: DeploymentAnchor::parse("1,2026-11-22 18:00:00.000").unwrap(),
            groups: vec![SyncTargetGroup {
                group_id: id(1),
                parent_id: Uuid::nil(),
                name: "All <Computers>".to_owned(),
                builtin: true,
            }],
            deployments: vec![SyncDeployment {
                key: RevisionKey { update_id: id(2), revision: 200 },
                action: 0,
                admin_name: Some("LAB\\anna".to_owned()),
                deadline: None,
                assigned: true,
                go_live: moment,
                deployment_id: id(3),
                group_id: id(1),
                priority: 1,
            }],
            dead_deployments: vec![id(4)],
            hidden_updates: vec![],
            accepted_licenses: vec![id(5)],
        }
    }

    #[test]
    fn an_answer_comes_back_as_it_was() {
        for version in [SoapVersion::V11, SoapVersion::V12] {
            let written = reply().to_bytes(version);
            assert_eq!(GetDeploymentsReply::from_bytes(&written).unwrap(), reply());
        }
    }

    #[test]
    fn p56_stand_ins_for_no_deadline_are_none() {
        for never in [
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.9999999",
            "3000-01-01T00:00:00Z",
            "1753-01-01T00:00:00",
        ] {
            let text = String::from_utf8(reply().to_bytes(SoapVersion::V11)).unwrap();
            let text = text.replace(time::NEVER_EXPIRES, never);
            let read = GetDeploymentsReply::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(read.deployments[0].deadline, None, "{never}");
        }
    }

    #[test]
    fn a_group_without_parent_stands_at_the_root() {
        let text = String::from_utf8(reply().to_bytes(SoapVersion::V11)).unwrap();
        let (before, rest) = text.split_once("<ParentGroupId>").unwrap();
        let (_, after) = rest.split_once("</ParentGroupId>").unwrap();
        let read = GetDeploymentsReply::from_bytes(format!("{before}{after}").as_bytes()).unwrap();
        assert_eq!(read.groups[0].parent_id, Uuid::nil());
    }

    #[test]
    fn p47_a_question_without_sync_anchor_names_that_parameter() {
        let ask = GetDeployments {
            cookie: None,
            deployment_anchor: None,
            sync_anchor: SyncAnchor::parse("1,2026-11-22 18:00:00.000").unwrap(),
        };
        let written = ask.to_bytes(SoapVersion::V11);
        assert_eq!(GetDeployments::from_message(Message::open(&written).unwrap()).unwrap(), ask);
        let text = String::from_utf8(written).unwrap().replace("1,2026-11-22 18:00:00.000", "");
        let error = GetDeployments::from_message(Message::open(text.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(error.parameter(), Some("syncAnchor"));
    }
}
