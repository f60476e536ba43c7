//! What a list of revisions means here: which of them are not stored, and which are older than what is.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::catalog::CatalogError;
use crate::protocol::ids::RevisionKey;

/// Keys that one question to the database names; memory does not grow with the list.
const ASKED_AT_ONCE: usize = 10_000;

/// Those of `listed` that are not stored, visible or not; each once, in the order of the list.
///
/// # Errors
/// [`CatalogError::Bulk`] when the database fails.
pub async fn missing(
    client: &Client,
    mut listed: Vec<RevisionKey>,
) -> Result<Vec<RevisionKey>, CatalogError> {
    name_once(&mut listed);
    let mut absent = Vec::with_capacity(listed.len());
    for keys in listed.chunks(ASKED_AT_ONCE) {
        let mut held = vec![true; keys.len()];
        let (ids, numbers) = columns(keys);
        let rows = client
            .query(
                "SELECT l.place FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY l (update_id, number, place)
                 WHERE NOT EXISTS (
                     SELECT FROM update_ids i JOIN revisions r ON r.update_row = i.id
                     WHERE i.update_id = l.update_id AND r.revision_number = l.number)
                 ORDER BY l.place",
                &[&ids, &numbers],
            )
            .await?;
        for row in rows {
            let place: i64 = row.try_get(0)?;
            if let Some(held) = usize::try_from(place - 1).ok().and_then(|place| held.get_mut(place)) {
                *held = false;
            }
        }
        absent.extend(held.into_iter().map(|held| !held));
    }
    let mut absent = absent.into_iter();
    listed.retain(|_| absent.next() == Some(true));
    Ok(listed)
}

/// Removes repetitions; what is left stays in its order. By places, which take a fifth of a set of the keys.
fn name_once(keys: &mut Vec<RevisionKey>) {
    let mut places: Vec<u32> = (0..).take(keys.len()).collect();
    places.sort_unstable_by_key(|place| (keys[*place as usize], *place));
    let again = places.windows(2).filter(|pair| keys[pair[0] as usize] == keys[pair[1] as usize]);
    let mut again: Vec<u32> = again.map(|pair| pair[1]).collect();
    again.sort_unstable();
    let (mut again, mut place) = (again.into_iter().peekable(), 0..);
    keys.retain(|_| again.next_if_eq(&place.next().unwrap_or(u32::MAX)).is_none());
}

/// Those of `wanted`, at most `limit`, of whose update a higher revision is stored.
///
/// # Errors
/// [`CatalogError::Bulk`] when the database fails.
pub async fn outdated(
    client: &Client,
    wanted: &[RevisionKey],
    limit: usize,
) -> Result<Vec<RevisionKey>, CatalogError> {
    let mut found = Vec::new();
    for keys in wanted.chunks(ASKED_AT_ONCE) {
        let (ids, numbers) = columns(keys);
        let rows = client
            .query(
                "SELECT w.update_id, w.number FROM unnest($1::uuid[], $2::int4[]) w (update_id, number)
                 JOIN update_ids i ON i.update_id = w.update_id
                 WHERE EXISTS (SELECT FROM revisions r WHERE r.update_row = i.id AND r.revision_number > w.number)
                 LIMIT $3",
                &[&ids, &numbers, &((limit - found.len()) as i64)],
            )
            .await?;
        for row in rows {
            found.push(RevisionKey { update_id: row.try_get(0)?, revision: row.try_get(1)? });
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

fn columns(keys: &[RevisionKey]) -> (Vec<Uuid>, Vec<i32>) {
    keys.iter().map(|key| (key.update_id, key.revision)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_named_again_keeps_its_first_place() {
        let key = |number| RevisionKey { update_id: Uuid::from_u128(7), revision: number };
        let mut keys: Vec<RevisionKey> = [5, 3, 5, 9, 3, 5, 1, 1].map(key).to_vec();
        name_once(&mut keys);
        assert_eq!(keys, [5, 3, 9, 1].map(key));
        name_once(&mut keys);
        assert_eq!(keys.len(), 4, "nothing to remove");
        let mut none = Vec::new();
        name_once(&mut none);
        assert!(none.is_empty());
    }
}
