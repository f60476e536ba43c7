//! The two cookies we hand out. Everything we need to know later is sealed inside, so that they
//! survive a restart and need no table.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::protocol::version::ProtocolVersion;
use crate::secret::SecretKey;

/// How long both cookies are good. Source: MS-WSUSSS 3.1.4.3, product note: 240 minutes.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(240);
/// Longest sealed ticket that is even looked at, in bytes. Ours are below a hundred.
const SEALED_LEN_MAX: usize = 512;
/// First byte of the layout below.
const LAYOUT: u8 = 1;
/// Layout, kind, this server, downstream server, expiry, version.
const LEN: usize = 1 + 1 + 16 + 16 + 8 + 2 + 2;

/// What a ticket is good for. Each is sealed for its own purpose: one never opens as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Authorization,
    Session,
}

impl Kind {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Authorization => "downstream authorization cookie",
            Self::Session => "downstream session cookie",
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Authorization => b'A',
            Self::Session => b'S',
        }
    }
}

/// What is sealed in a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Identity of the server that sealed it.
    pub server_id: Uuid,
    /// The downstream server it was given to.
    pub downstream_id: Uuid,
    /// To the millisecond.
    pub expires_at: DateTime<Utc>,
    /// What the downstream server speaks; of no meaning in an authorization ticket.
    pub version: ProtocolVersion,
}

/// Why a ticket is not accepted. Nothing finer is told to anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// Not ours, damaged, of the other kind, or expired.
    Unusable,
    /// Ours by key, but of another server identity: this server was replaced or restored.
    OtherServer,
}

impl Ticket {
    /// Seals it for `kind`.
    pub fn seal(&self, key: &SecretKey, kind: Kind) -> Vec<u8> {
        let mut plain = Vec::with_capacity(LEN);
        plain.push(LAYOUT);
        plain.push(kind.tag());
        plain.extend_from_slice(self.server_id.as_bytes());
        plain.extend_from_slice(self.downstream_id.as_bytes());
        plain.extend_from_slice(&self.expires_at.timestamp_millis().to_be_bytes());
        plain.extend_from_slice(&self.version.major.to_be_bytes());
        plain.extend_from_slice(&self.version.minor.to_be_bytes());
        key.seal(kind.purpose(), &plain)
    }

    /// Opens a ticket of `kind` and judges it. Nothing in it is looked at before its seal is found good.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn open(
        key: &SecretKey,
        kind: Kind,
        sealed: &[u8],
        server_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Self, Rejected> {
        if sealed.len() > SEALED_LEN_MAX {
            return Err(Rejected::Unusable);
        }
        let plain = key.open(kind.purpose(), sealed).map_err(|_| Rejected::Unusable)?;
        let ticket = Self::decode(&plain, kind).ok_or(Rejected::Unusable)?;
        if ticket.server_id != server_id {
            return Err(Rejected::OtherServer);
        }
        if ticket.expires_at <= now {
            return Err(Rejected::Unusable);
        }
        Ok(ticket)
    }

    fn decode(plain: &[u8], kind: Kind) -> Option<Self> {
        let plain: &[u8; LEN] = plain.try_into().ok()?;
        if plain[0] != LAYOUT || plain[1] != kind.tag() {
            return None;
        }
        let millis = i64::from_be_bytes(plain[34..42].try_into().ok()?);
        Some(Self {
            server_id: Uuid::from_slice(&plain[2..18]).ok()?,
            downstream_id: Uuid::from_slice(&plain[18..34]).ok()?,
            expires_at: DateTime::from_timestamp_millis(millis)?,
            version: ProtocolVersion {
                major: u16::from_be_bytes([plain[42], plain[43]]),
                minor: u16::from_be_bytes([plain[44], plain[45]]),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            server_id: Uuid::from_u128(1),
            downstream_id: Uuid::from_u128(2),
            expires_at: DateTime::from_timestamp_millis(1_790_000_000_123).unwrap(),
            version: ProtocolVersion::OURS,
        }
    }

    fn before() -> DateTime<Utc> {
        ticket().expires_at - TimeDelta::milliseconds(1)
    }

    #[test]
    fn p10_a_ticket_opens_with_its_key_and_for_its_server_only() {
        let key = SecretKey::generate().unwrap();
        let sealed = ticket().seal(&key, Kind::Session);
        let open = |key: &SecretKey, server: u128, now| {
            Ticket::open(key, Kind::Session, &sealed, Uuid::from_u128(server), now)
        };
        assert_eq!(open(&key, 1, before()), Ok(ticket()));
        assert_eq!(open(&key, 3, before()), Err(Rejected::OtherServer));
        assert_eq!(open(&SecretKey::generate().unwrap(), 1, before()), Err(Rejected::Unusable));
        assert_eq!(open(&key, 1, ticket().expires_at), Err(Rejected::Unusable));
    }

    #[test]
    fn r222_one_kind_never_opens_as_the_other() {
        let key = SecretKey::generate().unwrap();
        for (made, asked) in [(Kind::Session, Kind::Authorization), (Kind::Authorization, Kind::Session)] {
            let sealed = ticket().seal(&key, made);
            let opened = Ticket::open(&key, asked, &sealed, Uuid::from_u128(1), before());
            assert_eq!(opened, Err(Rejected::Unusable));
        }
    }

    #[test]
    fn r221_flipped_cut_and_extended_tickets_are_all_refused_alike() {
        let key = SecretKey::generate().unwrap();
        let sealed = ticket().seal(&key, Kind::Session);
        let open = |bytes: &[u8]| Ticket::open(&key, Kind::Session, bytes, Uuid::from_u128(1), before());
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(open(&flipped), Err(Rejected::Unusable));
            assert_eq!(open(&sealed[..at]), Err(Rejected::Unusable));
        }
        assert_eq!(open(&[sealed.as_slice(), &[0]].concat()), Err(Rejected::Unusable));
        assert_eq!(open(&vec![7; 10_000_000]), Err(Rejected::Unusable));
        // A serialized .NET object is bytes like any other.
        assert_eq!(open(b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01"), Err(Rejected::Unusable));
    }
}
