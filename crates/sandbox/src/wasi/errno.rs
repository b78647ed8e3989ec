//! WASI's error numbers, those of them that an in-memory world can say.

use super::Stop;

/// An error number of preview 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Errno(u16);

impl Errno {
    pub(super) const BADF: Errno = Errno(8);
    pub(super) const EXIST: Errno = Errno(20);
    pub(super) const FAULT: Errno = Errno(21);
    pub(super) const ILSEQ: Errno = Errno(25);
    pub(super) const INVAL: Errno = Errno(28);
    pub(super) const ISDIR: Errno = Errno(31);
    pub(super) const MFILE: Errno = Errno(33);
    pub(super) const NAMETOOLONG: Errno = Errno(37);
    pub(super) const NOENT: Errno = Errno(44);
    pub(super) const NOSYS: Errno = Errno(52);
    pub(super) const NOTDIR: Errno = Errno(54);
    pub(super) const NOTEMPTY: Errno = Errno(55);
    pub(super) const NOTSOCK: Errno = Errno(57);
    pub(super) const NOTSUP: Errno = Errno(58);
    pub(super) const PERM: Errno = Errno(63);
    pub(super) const ROFS: Errno = Errno(69);
    pub(super) const SPIPE: Errno = Errno(70);

    pub(super) fn code(self) -> i32 {
        i32::from(self.0)
    }

    /// As the file system of WASI 0.2 counts errors.
    pub(super) fn second(self) -> u8 {
        match self {
            Errno::BADF => 3,
            Errno::EXIST => 7,
            Errno::ILSEQ => 9,
            Errno::INVAL => 12,
            Errno::ISDIR => 14,
            Errno::NAMETOOLONG => 18,
            Errno::NOENT => 20,
            Errno::MFILE => 22,
            Errno::NOTDIR => 24,
            Errno::NOTEMPTY => 25,
            Errno::NOSYS | Errno::NOTSUP => 27,
            Errno::PERM => 31,
            Errno::ROFS => 33,
            Errno::SPIPE => 34,
            // Of no other is a file the cause.
            _ => 13,
        }
    }

    pub(super) fn number(self) -> u16 {
        self.0
    }
}

/// What a call can say besides success: a number for the tool to read, or the end of the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Errno(Errno),
    Stop(Stop),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Fault {
        Fault::Errno(errno)
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Fault {
        Fault::Stop(stop)
    }
}

/// What a call says.
pub(super) type Done = Result<(), Fault>;
