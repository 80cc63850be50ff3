//! Datagrams over UDP and Unix sockets, addresses and names.

use crate::error::{check, Result};
use crate::ffi::{self, Object};
use crate::op::{self, Op};
use crate::stash::Stash;
use crate::stream::owned;
use asyncloop_sys as sys;
use std::ffi::c_void;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::io::{AsRawFd, IntoRawFd};
use std::ptr::null_mut;

/// The address of a socket: an IP address with a port, or a Unix path.
#[derive(Clone)]
pub struct Address(Object<sys::aloop_address>);

// SAFETY: an address never changes, and its references are counted atomically.
unsafe impl Send for Address {}
// SAFETY: the same.
unsafe impl Sync for Address {}

impl Address {
    /// Of a numeric host; names are [`lookup`]'s.
    pub fn new(host: &str, port: u16) -> Result<Address> {
        let host = ffi::text(host)?;
        // SAFETY: `raw` is a place for the reference, and C copies the text.
        Object::made(|raw| unsafe { sys::aloop_address_new(raw, host.as_ptr(), port.into()) })
            .map(Address)
    }

    /// Of a Unix socket; `"@name"` is an abstract one.
    pub fn unix(path: &str) -> Result<Address> {
        let path = ffi::text(path)?;
        // SAFETY: `raw` is a place for the reference, and C copies the text.
        Object::made(|raw| unsafe { sys::aloop_address_new_unix(raw, path.as_ptr()) }).map(Address)
    }

    fn borrowed(raw: *mut sys::aloop_address) -> Option<Address> {
        if raw.is_null() {
            return None;
        }
        // SAFETY: it is borrowed from a live object.
        let raw = unsafe { sys::aloop_ref(raw as *mut c_void) };
        Some(Address(Object::new(raw as *mut sys::aloop_address)))
    }

    /// The numeric host alone, or the path.
    pub fn host(&self) -> String {
        // SAFETY: the handle is ours, and C writes `size` bytes at most.
        ffi::written(|buffer, size| unsafe { sys::aloop_address_host(self.0.raw(), buffer, size) })
            .unwrap_or_default()
    }

    /// The port; 0 of a Unix address.
    pub fn port(&self) -> u16 {
        // SAFETY: the handle is a reference of ours.
        let port = unsafe { sys::aloop_address_port(self.0.raw()) };
        u16::try_from(port).unwrap_or(0)
    }

    /// The same as the standard library has it; `None` of a Unix address.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.to_string().parse().ok()
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Address {
        Address::new(&addr.ip().to_string(), addr.port()).expect("an address of the system")
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_address_equal(self.0.raw(), other.0.raw()) > 0 }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the handle is ours, and C writes `size` bytes at most.
        let text = ffi::written(|buffer, size| unsafe {
            sys::aloop_address_format(self.0.raw(), buffer, size)
        });
        f.write_str(&text.unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The addresses of a host and a service, which is a number or a name.
/// `loop.getaddrinfo`.
pub fn lookup(host: &str, service: &str) -> Op<Vec<Address>> {
    let (host, service) = match (ffi::text(host), ffi::text(service)) {
        (Ok(host), Ok(service)) => (host, service),
        (Err(why), _) | (_, Err(why)) => return Op::failed(why),
    };
    // SAFETY: it takes no pointer.
    let options = Object::new(unsafe { sys::aloop_addrinfo_options_new() });
    // SAFETY: the handle is ours, and C copies the text.
    let op = unsafe {
        sys::aloop_addrinfo_options_set_type(options.raw(), 1); // SOCK_STREAM: each address once
        sys::aloop_getaddrinfo(host.as_ptr(), service.as_ptr(), options.raw())
    };
    // SAFETY: the value is the reference that the operation gives.
    Op::new(op, |_, value| unsafe {
        let list = Object::new(value as *mut sys::aloop_addresses);
        (0..sys::aloop_addresses_count(list.raw()))
            .filter_map(|i| Address::borrowed(sys::aloop_addresses_at(list.raw(), i)))
            .collect()
    })
}

/// The host and the service of an address. `loop.getnameinfo`.
pub fn lookup_name(address: &Address) -> Op<(String, String)> {
    // SAFETY: the handle is a reference of ours.
    let op = unsafe { sys::aloop_getnameinfo(address.0.raw(), 0) };
    // SAFETY: the value is the reference that the operation gives.
    Op::new(op, |_, value| unsafe {
        let name = Object::new(value as *mut sys::aloop_host_name);
        (
            ffi::owned_text(sys::aloop_host_name_host(name.raw())),
            ffi::owned_text(sys::aloop_host_name_service(name.raw())),
        )
    })
}

/// What was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// The bytes.
    pub data: Vec<u8>,
    /// Where it came from.
    pub from: Option<Address>,
    /// Whether it was longer, and is cut.
    pub truncated: bool,
}

impl Packet {
    unsafe fn copy(raw: *mut sys::aloop_packet) -> Packet {
        let size = sys::aloop_packet_size(raw);
        Packet {
            data: std::slice::from_raw_parts(sys::aloop_packet_data(raw), size).to_vec(),
            from: Address::borrowed(sys::aloop_packet_address(raw)),
            truncated: sys::aloop_packet_truncated(raw) > 0,
        }
    }
}

/// How an endpoint is made.
#[derive(Clone, Debug, Default)]
pub struct DatagramOptions {
    local: Option<(String, u16)>,
    remote: Option<(String, u16)>,
    local_path: Option<String>,
    remote_path: Option<String>,
    reuse_port: bool,
    broadcast: bool,
    family: Option<i32>,
    receive_buffer: Option<i32>,
    batch: Option<i32>,
    max_size: Option<usize>,
}

impl DatagramOptions {
    /// Nothing is set.
    pub fn new() -> DatagramOptions {
        DatagramOptions::default()
    }

    /// Where it is bound; port 0: any.
    pub fn local(mut self, host: &str, port: u16) -> DatagramOptions {
        self.local = Some((host.into(), port));
        self
    }

    /// Its only peer.
    pub fn remote(mut self, host: &str, port: u16) -> DatagramOptions {
        self.remote = Some((host.into(), port));
        self
    }

    /// Where it is bound, as a Unix socket; `"@name"` is an abstract one.
    pub fn local_path(mut self, path: &str) -> DatagramOptions {
        self.local_path = Some(path.into());
        self
    }

    /// Its only peer, as a Unix socket.
    pub fn remote_path(mut self, path: &str) -> DatagramOptions {
        self.remote_path = Some(path.into());
        self
    }

    /// IPv4, where no address tells.
    pub fn ipv4(mut self) -> DatagramOptions {
        self.family = Some(2);
        self
    }

    /// IPv6, where no address tells.
    pub fn ipv6(mut self) -> DatagramOptions {
        self.family = Some(10);
        self
    }

    /// How many datagrams one system call takes, and so how many wait here: 1 to 32, default 16.
    pub fn batch(mut self, datagrams: i32) -> DatagramOptions {
        self.batch = Some(datagrams);
        self
    }

    /// SO_REUSEPORT
    pub fn reuse_port(mut self) -> DatagramOptions {
        self.reuse_port = true;
        self
    }

    /// SO_BROADCAST
    pub fn broadcast(mut self) -> DatagramOptions {
        self.broadcast = true;
        self
    }

    /// SO_RCVBUF, in bytes.
    pub fn receive_buffer(mut self, bytes: i32) -> DatagramOptions {
        self.receive_buffer = Some(bytes);
        self
    }

    /// The longest datagram, default 65536: longer ones are cut.
    pub fn max_size(mut self, bytes: usize) -> DatagramOptions {
        self.max_size = Some(bytes);
        self
    }

    fn make(&self) -> Result<Object<sys::aloop_datagram_options>> {
        // SAFETY: it takes no pointer.
        let made = Object::new(unsafe { sys::aloop_datagram_options_new() });
        let to = made.raw();
        // SAFETY: C copies the text.
        unsafe {
            if let Some((host, port)) = &self.local {
                let (host, port) = (ffi::text(host.as_str())?, i32::from(*port));
                check(sys::aloop_datagram_options_set_local_address(to, host.as_ptr(), port))?;
            }
            if let Some((host, port)) = &self.remote {
                let (host, port) = (ffi::text(host.as_str())?, i32::from(*port));
                check(sys::aloop_datagram_options_set_remote_address(to, host.as_ptr(), port))?;
            }
            if let Some(path) = &self.local_path {
                let path = ffi::text(path.as_str())?;
                check(sys::aloop_datagram_options_set_local_path(to, path.as_ptr()))?;
            }
            if let Some(path) = &self.remote_path {
                let path = ffi::text(path.as_str())?;
                check(sys::aloop_datagram_options_set_remote_path(to, path.as_ptr()))?;
            }
            check(sys::aloop_datagram_options_set_reuse_port(to, self.reuse_port.into()))?;
            check(sys::aloop_datagram_options_set_broadcast(to, self.broadcast.into()))?;
            if let Some(family) = self.family {
                check(sys::aloop_datagram_options_set_family(to, family))?;
            }
            if let Some(datagrams) = self.batch {
                check(sys::aloop_datagram_options_set_batch(to, datagrams))?;
            }
            if let Some(bytes) = self.receive_buffer {
                check(sys::aloop_datagram_options_set_receive_buffer(to, bytes))?;
            }
            if let Some(bytes) = self.max_size {
                check(sys::aloop_datagram_options_set_max_size(to, bytes))?;
            }
        }
        Ok(made)
    }

    /// Makes it. `loop.create_datagram_endpoint`.
    pub fn open(&self) -> Op<Datagram> {
        match self.make() {
            Err(why) => Op::failed(why),
            Ok(options) => {
                // SAFETY: the handle is a reference of ours.
                let op = unsafe { sys::aloop_create_datagram_endpoint(options.raw()) };
                Op::new(op, |_, value| Datagram::from_raw(value))
            }
        }
    }

    /// Over a datagram socket, which becomes the endpoint's; it is closed where this fails.
    /// [`Code::Invalid`](crate::Code) with an address or flag set beside it.
    pub fn over(&self, socket: impl IntoRawFd) -> Op<Datagram> {
        let fd = owned(socket);
        let options = self.make().and_then(|options| {
            let set = sys::aloop_datagram_options_set_descriptor;
            // SAFETY: the options are a reference of ours.
            check(unsafe { set(options.raw(), fd.as_raw_fd()) })?;
            Ok(options)
        });
        match options {
            Err(why) => Op::failed(why),
            Ok(options) => {
                // SAFETY: the handle is a reference of ours.
                let op = unsafe { sys::aloop_create_datagram_endpoint(options.raw()) };
                Op::new(op, move |_, value| {
                    let _ = fd.into_raw_fd(); // the endpoint's from now on
                    Datagram::from_raw(value)
                })
            }
        }
    }
}

/// An endpoint for datagrams. Dropping it closes it; what is queued is still sent.
pub struct Datagram {
    raw: Object<sys::aloop_datagram>,
    stash: Stash<Packet>,
}

impl Datagram {
    fn from_raw(raw: *mut c_void) -> Datagram {
        Datagram { raw: Object::new(raw as *mut sys::aloop_datagram), stash: Stash::default() }
    }

    /// Over UDP, bound to an address; port 0: any.
    pub fn bind(host: &str, port: u16) -> Op<Datagram> {
        DatagramOptions::new().local(host, port).open()
    }

    /// Over UDP, to one peer.
    pub fn connect(host: &str, port: u16) -> Op<Datagram> {
        DatagramOptions::new().remote(host, port).open()
    }

    /// Waits for a datagram; dropped, it loses none. One may wait at a time.
    pub fn recv_from(&self) -> Op<Packet> {
        let raw = self.raw.clone();
        // SAFETY: the handle is a reference of ours.
        let make = move || unsafe { sys::aloop_datagram_recvfrom(raw.raw()) };
        // SAFETY: the value is the reference that the operation gives.
        self.stash.receive(make, |_, value| unsafe {
            let packet = Object::new(value as *mut sys::aloop_packet);
            Packet::copy(packet.raw())
        })
    }

    /// Waits for one, and gives up to `n` that are there.
    pub fn recv_many(&self, n: usize) -> Op<Vec<Packet>> {
        let (raw, most) = (self.raw.clone(), i64::try_from(n).unwrap_or(i64::MAX));
        let (here, first, back) = (self.stash.clone(), self.stash.clone(), self.stash.clone());
        Op::in_turn(
            &self.stash.turn,
            move || match here.len() {
                // SAFETY: the handle is a reference of ours.
                0 => unsafe { sys::aloop_datagram_recvmany(raw.raw(), most) },
                _ => op::done(),
            },
            move |_, value| {
                if value.is_null() {
                    return Ok((0..n).map_while(|_| first.pop()).collect());
                }
                // SAFETY: the value is the reference that the operation gives.
                unsafe {
                    let list = Object::new(value as *mut sys::aloop_packets);
                    let all = 0..sys::aloop_packets_count(list.raw());
                    Ok(all.map(|i| Packet::copy(sys::aloop_packets_at(list.raw(), i))).collect())
                }
            },
        )
        .or_undo(move |packets: Vec<Packet>| {
            packets.into_iter().rev().for_each(|one| back.put_back(one))
        })
    }

    /// Sends a datagram at once, or queues it.
    pub fn send_to(&self, bytes: &[u8], to: &Address) -> Result<()> {
        self.give(bytes, to.0.raw())
    }

    /// The same to the only peer.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        self.give(bytes, null_mut())
    }

    fn give(&self, bytes: &[u8], to: *mut sys::aloop_address) -> Result<()> {
        let data = bytes.as_ptr() as *const c_void;
        // SAFETY: the handle is ours, and C copies the bytes.
        check(unsafe { sys::aloop_datagram_sendto_nowait(self.raw.raw(), data, bytes.len(), to) })
            .map(drop)
    }

    /// Waits until what is queued is mostly sent.
    pub fn drain(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_datagram_drain(self.raw.raw()) }, ffi::nothing)
    }

    /// When [`drain`](Datagram::drain) begins to wait, and when it ends.
    pub fn set_write_buffer_limits(&self, high: usize, low: usize) -> Result<()> {
        let [high, low] = [high, low].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let set = sys::aloop_datagram_set_write_buffer_limits;
        // SAFETY: the handle is a reference of ours.
        check(unsafe { set(self.raw.raw(), high, low) }).map(drop)
    }

    /// Its own address.
    pub fn local_addr(&self) -> Option<Address> {
        // SAFETY: the handle is a reference of ours.
        taken(unsafe { sys::aloop_datagram_local_address(self.raw.raw()) })
    }

    /// Its peer's.
    pub fn peer_addr(&self) -> Option<Address> {
        // SAFETY: the handle is a reference of ours.
        taken(unsafe { sys::aloop_datagram_remote_address(self.raw.raw()) })
    }

    /// How many datagrams the kernel has dropped because nobody took them in time.
    pub fn dropped(&self) -> u64 {
        let which = sys::ALOOP_DATAGRAM_STAT_DROPPED;
        // SAFETY: the handle is a reference of ours.
        let dropped = unsafe { sys::aloop_datagram_statistic(self.raw.raw(), which) };
        u64::try_from(dropped).unwrap_or(0)
    }

    /// Sends what is queued, then closes.
    pub fn close(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_datagram_close(self.raw.raw()) };
    }

    /// Closes at once.
    pub fn abort(&self) {
        // SAFETY: the handle is a reference of ours.
        unsafe { sys::aloop_datagram_abort(self.raw.raw()) };
    }

    /// Waits until it is closed.
    pub fn wait_closed(&self) -> Op<()> {
        // SAFETY: the handle is a reference of ours.
        Op::new(unsafe { sys::aloop_datagram_wait_closed(self.raw.raw()) }, ffi::nothing)
    }
}

fn taken(raw: *mut sys::aloop_address) -> Option<Address> {
    (!raw.is_null()).then(|| Address(Object::new(raw)))
}
