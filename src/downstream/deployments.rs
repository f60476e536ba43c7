//! GetDeployments: groups, approvals, declines and license terms, for replicas below this server.

use super::{Refusal, Services, anchor};
use crate::approvals::Side;
use crate::approvals::deployments::{self, Deployment, Known};
use crate::protocol::ids::{DeploymentAnchor, RevisionKey};
use crate::protocol::server_sync::{
    GetDeployments, GetDeploymentsReply, SyncDeployment, SyncTargetGroup, is_deadline,
};
use uuid::Uuid;

/// Priority of every file of ours: low. Source: MS-WSUSSS 2.2.4.
const PRIORITY: u8 = 1;

/// What changed since the deployment anchor, bounded by the list of revisions the server below has.
///
/// # Errors
/// InvalidParameters `syncAnchor` or `deploymentAnchor` for one that is none.
pub async fn deployments(
    services: &Services,
    request: GetDeployments,
) -> Result<GetDeploymentsReply, Refusal> {
    let until = anchor::read(request.sync_anchor.as_str()).ok_or_else(|| Refusal::parameter("syncAnchor"))?;
    let known = match &request.deployment_anchor {
        None => None,
        Some(text) => Some(read(text).ok_or_else(|| Refusal::parameter("deploymentAnchor"))?),
    };
    let mut conn = services.borrow().await?;
    let found = deployments::list(&mut conn, known, until).await?;
    Ok(GetDeploymentsReply {
        anchor: write(Known { side: found.side, stamp: found.stamp }).map_err(Refusal::internal)?,
        groups: found
            .groups
            .into_iter()
            .map(|branch| SyncTargetGroup {
                group_id: branch.group.group_id,
                parent_id: branch.group.parent_id.unwrap_or(Uuid::nil()),
                name: branch.group.name,
                builtin: branch.group.builtin,
            })
            .collect(),
        deployments: found.changed.into_iter().map(deployment).collect(),
        dead_deployments: found.withdrawn,
        hidden_updates: found.declined,
        accepted_licenses: found.licenses,
    })
}

fn deployment(found: Deployment) -> SyncDeployment {
    let approval = found.approval;
    SyncDeployment {
        key: RevisionKey { update_id: approval.update_id, revision: approval.revision_number },
        action: i32::from(approval.action().code()),
        // One that no reader takes was stored by a version that did not look; to servers below it means none.
        deadline: approval.deadline.filter(is_deadline),
        assigned: true,
        go_live: approval.approved_at,
        deployment_id: found.approval_id,
        group_id: approval.group_id,
        admin_name: Some(approval.approved_by),
        priority: PRIORITY,
    }
}

/// The counter of our deployment anchors says whose approvals they are: 1 our own, 2 mirrored ones.
fn write(known: Known) -> Result<DeploymentAnchor, crate::protocol::ProtocolError> {
    let text = anchor::write(known.stamp);
    DeploymentAnchor::parse(match known.side {
        Side::Own => text,
        Side::Mirrored => text.replacen("1,", "2,", 1),
    })
}

fn read(anchor: &DeploymentAnchor) -> Option<Known> {
    let side = if anchor.as_str().starts_with("2,") { Side::Mirrored } else { Side::Own };
    Some(Known { side, stamp: anchor::read(anchor.as_str())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_remembers_whose_approvals_it_stands_for() {
        for side in [Side::Own, Side::Mirrored] {
            let known = Known { side, stamp: 1_790_000_000_123 };
            assert_eq!(read(&write(known).unwrap()), Some(known));
        }
        assert_eq!(read(&DeploymentAnchor::parse("garbage").unwrap()), None);
    }
}
