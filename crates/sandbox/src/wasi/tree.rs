//! The files a tool sees: `/in` as given, `/out` as it writes it (a script `/job` and `/tmp` besides), all in memory
//! and all gone with the part.
//! There are no links of any kind, so a path cannot lead anywhere but down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Stop;
use super::errno::{Errno, Fault};
use crate::limits::{NAME_BYTES_MAX, PATH_BYTES_MAX};
use crate::part::{Bytes, Written};

/// A file or folder, by its place in the tree's list.
pub(super) type Node = usize;
/// The root of `/in`.
pub(super) const IN: Node = 0;
/// The root of `/out`.
pub(super) const OUT: Node = 1;
/// The root of `/job`: a script and what it brings along, the same for all parts.
pub(super) const JOB: Node = 2;
/// The root of `/tmp`, of which nothing is kept.
pub(super) const TMP: Node = 3;

/// All folders of one part.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Body>,
    free: Vec<Node>,
    /// Nodes without a name, kept while something has them open.
    unlinked: BTreeSet<Node>,
    /// Nodes below this were given, not written, and cannot be changed.
    given: usize,
    bytes: u64,
    bytes_max: u64,
    count: u32,
    count_max: u32,
}

#[derive(Debug)]
enum Body {
    Folder { children: BTreeMap<String, Node> },
    Given(Arc<[u8]>),
    Made(Vec<u8>),
    Gone,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File { size: u64 },
}

/// Where a path leads: the folder it ends in, the last name, and what is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The folder that the path began at, or one it came back to.
    Here(Node),
    /// Something in a folder, whether it exists or not; `slash` if the path insists that it is a folder.
    In { folder: Node, name: String, node: Option<Node>, slash: bool },
}

impl Tree {
    pub(super) fn new(
        given: &[(String, Bytes)],
        job: &[(String, Bytes)],
        bytes_max: u64,
        count_max: u32,
    ) -> Result<Tree, String> {
        let empty = || Body::Folder { children: BTreeMap::new() };
        let nodes = vec![empty(), empty(), empty(), empty()];
        let mut tree = Tree {
            nodes,
            free: Vec::new(),
            unlinked: BTreeSet::new(),
            given: 0,
            bytes: 0,
            bytes_max,
            count: 0,
            count_max: u32::MAX,
        };
        let all = given.iter().map(|file| (IN, file)).chain(job.iter().map(|file| (JOB, file)));
        for (root, (path, Bytes(bytes))) in all {
            tree.place_given(root, path, bytes).map_err(|_| format!("no file can be called {path:?}"))?;
        }
        (tree.given, tree.count, tree.count_max) = (tree.nodes.len(), 0, count_max);
        Ok(tree)
    }

    fn place_given(&mut self, root: Node, path: &str, bytes: &Arc<[u8]>) -> Result<(), Fault> {
        let mut folder = root;
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        for parent in parents.split('/').filter(|name| !name.is_empty()) {
            folder = match self.child(folder, checked(parent)?)? {
                Some(node) => node,
                None => self.add(folder, parent.to_owned(), Body::Folder { children: BTreeMap::new() })?,
            };
        }
        if self.child(folder, checked(name)?)?.is_some() {
            return Err(Errno::EXIST.into());
        }
        self.add(folder, name.to_owned(), Body::Given(bytes.clone()))?;
        Ok(())
    }

    pub(super) fn kind(&self, node: Node) -> Kind {
        match &self.nodes[node] {
            Body::Folder { .. } => Kind::Folder,
            Body::Given(bytes) => Kind::File { size: bytes.len() as u64 },
            Body::Made(bytes) => Kind::File { size: bytes.len() as u64 },
            Body::Gone => Kind::File { size: 0 },
        }
    }

    pub(super) fn writable(&self, node: Node) -> bool {
        matches!(node, OUT | TMP) || node > TMP && node >= self.given
    }

    /// Follows a path down from a folder. `..` leads back as far as that folder and never above it.
    pub(super) fn walk(&self, from: Node, path: &str) -> Result<Place, Errno> {
        if path.len() > PATH_BYTES_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        if path.starts_with('/') {
            return Err(Errno::PERM);
        }
        let mut above = vec![];
        let mut at = from;
        let mut names = path.split('/').filter(|name| !name.is_empty() && *name != ".").peekable();
        while let Some(name) = names.next() {
            if name == ".." {
                at = above.pop().ok_or(Errno::PERM)?;
                continue;
            }
            let node = self.child(at, checked(name)?)?;
            if names.peek().is_none() {
                let slash = path.ends_with('/') || path.ends_with("/.");
                return Ok(Place::In { folder: at, name: name.to_owned(), node, slash });
            }
            above.push(at);
            at = node.ok_or(Errno::NOENT)?;
            if self.kind(at) != Kind::Folder {
                return Err(Errno::NOTDIR);
            }
        }
        Ok(Place::Here(at))
    }

    /// What a path leads to.
    pub(super) fn find(&self, from: Node, path: &str) -> Result<Node, Errno> {
        match self.walk(from, path)? {
            Place::Here(node) => Ok(node),
            Place::In { node, slash, .. } => {
                let node = node.ok_or(Errno::NOENT)?;
                if slash && self.kind(node) != Kind::Folder { Err(Errno::NOTDIR) } else { Ok(node) }
            }
        }
    }

    fn child(&self, folder: Node, name: &str) -> Result<Option<Node>, Errno> {
        match &self.nodes[folder] {
            Body::Folder { children } => Ok(children.get(name).copied()),
            Body::Given(_) | Body::Made(_) => Err(Errno::NOTDIR),
            Body::Gone => Err(Errno::NOENT),
        }
    }

    /// Names in a folder, sorted, from the `skip`-th on.
    pub(super) fn list(&self, folder: Node, skip: usize) -> Result<impl Iterator<Item = (&str, Node)>, Errno> {
        match &self.nodes[folder] {
            Body::Folder { children } => Ok(children.iter().skip(skip).map(|(name, node)| (name.as_str(), *node))),
            Body::Given(_) | Body::Made(_) => Err(Errno::NOTDIR),
            Body::Gone => Err(Errno::NOENT),
        }
    }

    pub(super) fn make_file(&mut self, folder: Node, name: String) -> Result<Node, Fault> {
        self.add(folder, name, Body::Made(Vec::new()))
    }

    pub(super) fn make_folder(&mut self, folder: Node, name: String) -> Result<Node, Fault> {
        self.add(folder, name, Body::Folder { children: BTreeMap::new() })
    }

    fn add(&mut self, folder: Node, name: String, body: Body) -> Result<Node, Fault> {
        // While `/in` is being filled nothing is given yet; afterwards it cannot change.
        if self.given > 0 && !self.writable(folder) {
            return Err(Errno::ROFS.into());
        }
        if self.count >= self.count_max {
            return Err(Stop::TooManyFiles(self.count_max).into());
        }
        let node = self.free.pop().unwrap_or(self.nodes.len());
        match &mut self.nodes[folder] {
            Body::Folder { children } => children.insert(name, node),
            Body::Given(_) | Body::Made(_) | Body::Gone => return Err(Errno::NOENT.into()),
        };
        match self.nodes.get_mut(node) {
            Some(slot) => *slot = body,
            None => self.nodes.push(body),
        }
        self.count += 1;
        Ok(node)
    }

    /// Takes a name out of its folder; what it named lives on until `drop_node`.
    pub(super) fn unlink(&mut self, folder: Node, name: &str) -> Result<Node, Errno> {
        if !self.writable(folder) {
            return Err(Errno::ROFS);
        }
        match &mut self.nodes[folder] {
            Body::Folder { children } => {
                let node = children.remove(name).ok_or(Errno::NOENT)?;
                self.unlinked.insert(node);
                Ok(node)
            }
            Body::Given(_) | Body::Made(_) | Body::Gone => Err(Errno::NOTDIR),
        }
    }

    /// Whether a node has a name.
    pub(super) fn linked(&self, node: Node) -> bool {
        !self.unlinked.contains(&node)
    }

    /// Whether a folder is another or lies somewhere below it.
    pub(super) fn holds(&self, above: Node, folder: Node) -> bool {
        let mut seen = vec![above];
        while let Some(node) = seen.pop() {
            if node == folder {
                return true;
            }
            if let Body::Folder { children } = &self.nodes[node] {
                seen.extend(children.values());
            }
        }
        false
    }

    /// Puts an unlinked node back under a name.
    pub(super) fn relink(&mut self, folder: Node, name: String, node: Node) {
        if let Body::Folder { children } = &mut self.nodes[folder] {
            children.insert(name, node);
            self.unlinked.remove(&node);
        }
    }

    /// Forgets an unlinked node that nothing has open any more.
    pub(super) fn drop_node(&mut self, node: Node) {
        if let Body::Made(bytes) = &self.nodes[node] {
            self.bytes -= bytes.len() as u64;
        }
        self.unlinked.remove(&node);
        self.nodes[node] = Body::Gone;
        self.count -= 1;
        self.free.push(node);
    }

    pub(super) fn read(&self, node: Node, at: u64, most: usize) -> Result<&[u8], Errno> {
        let bytes: &[u8] = match &self.nodes[node] {
            Body::Given(bytes) => bytes,
            Body::Made(bytes) => bytes,
            Body::Folder { .. } => return Err(Errno::ISDIR),
            Body::Gone => return Err(Errno::BADF),
        };
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        Ok(&rest[..most.min(rest.len())])
    }

    /// Writes at a place, filling a gap before it with zeros.
    pub(super) fn write(&mut self, node: Node, at: u64, data: &[u8]) -> Result<(), Fault> {
        let end = at.checked_add(data.len() as u64).ok_or(Errno::INVAL)?;
        if let Kind::File { size } = self.kind(node)
            && end > size
        {
            self.resize(node, end)?;
        }
        match &mut self.nodes[node] {
            // Both ends are within the file, which fits into memory.
            Body::Made(bytes) => bytes[at as usize..end as usize].copy_from_slice(data),
            Body::Given(_) => return Err(Errno::ROFS.into()),
            Body::Folder { .. } => return Err(Errno::ISDIR.into()),
            Body::Gone => return Err(Errno::BADF.into()),
        }
        Ok(())
    }

    pub(super) fn resize(&mut self, node: Node, size: u64) -> Result<(), Fault> {
        let Body::Made(bytes) = &mut self.nodes[node] else {
            return Err(Errno::ROFS.into());
        };
        let total = (self.bytes - bytes.len() as u64).checked_add(size).ok_or(Stop::FilesTooLarge)?;
        if total > self.bytes_max {
            return Err(Stop::FilesTooLarge.into());
        }
        bytes.resize(size as usize, 0);
        self.bytes = total;
        Ok(())
    }

    /// Everything below `/out`, sorted by path.
    pub(super) fn into_written(mut self) -> Vec<Written> {
        let mut written = Vec::new();
        let mut folders = vec![(String::new(), OUT)];
        while let Some((prefix, folder)) = folders.pop() {
            let Body::Folder { children } = std::mem::replace(&mut self.nodes[folder], Body::Gone) else {
                continue;
            };
            for (name, node) in children {
                let path = format!("{prefix}{name}");
                match std::mem::replace(&mut self.nodes[node], Body::Gone) {
                    Body::Made(bytes) => written.push(Written { path, bytes }),
                    body @ Body::Folder { .. } => {
                        self.nodes[node] = body;
                        folders.push((format!("{path}/"), node));
                    }
                    Body::Given(_) | Body::Gone => {}
                }
            }
        }
        written.sort_by(|a, b| a.path.cmp(&b.path));
        written
    }
}

/// A name that can be one step of a path.
fn checked(name: &str) -> Result<&str, Errno> {
    match name {
        "" | "." | ".." => Err(Errno::INVAL),
        name if name.len() > NAME_BYTES_MAX => Err(Errno::NAMETOOLONG),
        name if name.contains('\0') => Err(Errno::INVAL),
        name => Ok(name),
    }
}
