//! Peers that do harm, each on threads of its own.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What one attacker does until it is told to stop.
pub(crate) type Attack = fn(&Attacker);

/// One attacker's side of an attack.
#[derive(Clone)]
pub(crate) struct Attacker {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    stopped: AtomicBool,
    done: AtomicU64,
    opened: AtomicU64,
}

/// An attack that goes on until this is dropped.
pub(crate) struct Running {
    attacker: Attacker,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(attack: Attack, address: SocketAddr, threads: usize) -> Self {
        let attacker = Attacker {
            address,
            state: Arc::default(),
        };
        let threads = (0..threads)
            .map(|_| {
                let attacker = attacker.clone();
                std::thread::spawn(move || attack(&attacker))
            })
            .collect();
        Self { attacker, threads }
    }

    /// How many of its deeds are done, and over how many connections.
    pub(crate) fn done(&self) -> (u64, u64) {
        let state = &self.attacker.state;
        (
            state.done.load(Ordering::Relaxed),
            state.opened.load(Ordering::Relaxed),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.attacker.state.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Its own panic has been printed, and fails the test where it has done too little.
            drop(thread.join());
        }
    }
}

impl Attacker {
    pub(crate) fn goes_on(&self) -> bool {
        !self.state.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, deeds: u64) {
        self.state.done.fetch_add(deeds, Ordering::Relaxed);
    }

    /// Waits until the attack is over.
    pub(crate) fn wait(&self) {
        while self.goes_on() {
            pause();
        }
    }

    /// Sends `opening`, then what `next` gives, as fast as the server takes it; again on a new connection each time
    /// the server closes one.
    pub(crate) fn flood(&self, opening: &[u8], deeds: u64, next: impl Fn(u32) -> Vec<u8>) {
        while self.goes_on() {
            let Some(mut line) = Line::open(self) else {
                continue;
            };
            let mut round = 0;
            let mut open = line.send(self, opening);
            while open && self.goes_on() {
                open = line.send(self, &next(round));
                self.count(deeds);
                round = (round + 1) % 10_000_000;
            }
        }
    }
}

/// An attacker's connection. It reads what comes, so that the server never waits for it.
pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) fn open(attacker: &Attacker) -> Option<Self> {
        // Not at once: the kernel keeps each closed connection for a minute, and there are 28,000 ports.
        pause();
        let tcp = TcpStream::connect(attacker.address).ok()?;
        tcp.set_nonblocking(true).ok()?;
        attacker.state.opened.fetch_add(1, Ordering::Relaxed);
        Some(Self(tcp))
    }

    /// Sends all of it; says whether the connection still stands.
    pub(crate) fn send(&mut self, attacker: &Attacker, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if !self.read_all() {
                return false;
            }
            match self.0.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !attacker.goes_on() {
                        return false;
                    }
                    pause();
                }
                Err(_closed) => return false,
            }
        }
        true
    }

    /// Reads what is there; says whether the connection still stands.
    pub(crate) fn read_all(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.0.read(&mut bytes) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }
}

pub(super) fn pause() {
    // may sleep: the attacker waits for the server, which it cannot look into
    std::thread::sleep(Duration::from_millis(1));
}
