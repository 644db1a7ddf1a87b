//! Wrong tokens: the addresses that sent them, and how many.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use jiff::{SignedDuration, Timestamp};

use super::connections::Guest;

/// How long wrong tokens are counted from the first one on.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// Of more addresses than this, those are forgotten that began first.
const MOST_ADDRESSES: usize = 4096;

/// Counts wrong tokens by the address that showed them.
pub(super) struct Guesses {
    most: u32,
    by_address: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    since: Timestamp,
    wrong: u32,
}

impl Guesses {
    /// Lets each address show so many wrong tokens a minute.
    pub(super) fn new(most: u32) -> Self {
        Self { most, by_address: Mutex::default() }
    }

    /// Returns for how long no token from this address is accepted, right or wrong; `None`: it may
    /// try.
    pub(super) fn pause(&self, who: IpAddr, now: Timestamp) -> Option<SignedDuration> {
        let count = *self.lock().get(&who)?;
        let left = WINDOW.saturating_sub(now.duration_since(count.since));
        // A clock that was set back must not lock an address out for longer.
        Some(left.min(WINDOW)).filter(|left| count.wrong >= self.most && left.is_positive())
    }

    /// Counts a wrong token.
    pub(super) fn wrong(&self, who: IpAddr, now: Timestamp) {
        let mut by_address = self.lock();
        let is_over = |count: &Count| !(SignedDuration::ZERO..WINDOW).contains(&now.duration_since(count.since));
        if by_address.len() >= MOST_ADDRESSES && !by_address.contains_key(&who) {
            by_address.retain(|_, count| !is_over(count));
            if by_address.len() >= MOST_ADDRESSES {
                let oldest = by_address.iter().min_by_key(|(_, count)| count.since).map(|(address, _)| *address);
                oldest.and_then(|oldest| by_address.remove(&oldest));
            }
        }
        let count = by_address.entry(who).or_insert(Count { since: now, wrong: 0 });
        if is_over(count) {
            *count = Count { since: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Count>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address that a request comes from, as far as one counts against another: of IPv6 the
/// network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Arc<Guest>>().map(|guest| guest.address());
        Ok(Self::of(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), &parts.headers))
    }
}

impl Who {
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        Self(network(if peer.is_loopback() { forwarded(headers).unwrap_or(peer) } else { peer }))
    }
}

/// Returns the client of a proxy on this machine: the last entry of the list, which the proxy
/// added.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        // Who has one address of it has all.
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        "2026-11-21T02:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    }

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn address_pauses_after_too_many_wrong() {
        let guesses = Guesses::new(3);
        for second in 0..3 {
            assert_eq!(guesses.pause(ONE, at(second)), None);
            guesses.wrong(ONE, at(second));
        }
        assert_eq!(guesses.pause(ONE, at(10)), Some(SignedDuration::from_secs(50)));
        assert_eq!((guesses.pause(OTHER, at(10)), guesses.pause(ONE, at(60))), (None, None));
        guesses.wrong(ONE, at(61));
        assert_eq!(guesses.pause(ONE, at(62)), None, "a new minute has begun");
        guesses.wrong(ONE, at(-5000));
        assert_eq!(guesses.pause(ONE, at(-4999)), None);
    }

    #[test]
    fn guesses_remember_bounded_addresses() {
        let guesses = Guesses::new(1);
        for number in 0..10_000_u32 {
            guesses.wrong(IpAddr::V4(Ipv4Addr::from_bits(number)), at(0));
        }
        assert!(guesses.lock().len() <= MOST_ADDRESSES);
    }

    #[test]
    fn only_local_proxy_names_another_address() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "203.0.113.9, 192.0.2.1".parse().unwrap());
        let who = |peer: &str| Who::of(peer.parse().unwrap(), &headers).0.to_string();
        assert_eq!(
            (who("127.0.0.1"), who("::1"), who("192.0.2.2")),
            ("192.0.2.1".into(), "192.0.2.1".into(), "192.0.2.2".into())
        );
        assert_eq!((who("2001:db8::1:2"), who("::ffff:192.0.2.2")), ("2001:db8::".into(), "192.0.2.2".into()));
    }
}
