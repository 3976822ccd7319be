//! The file: appended to, synced, set aside when it is large, opened again when somebody else has set it aside.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The file of the audit log. Its lines are whole, but for what a crash has torn.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Not a device, which cannot be synced, and is not set aside.
    is_regular: bool,
    /// A file of so many bytes is set aside.
    max: Option<u64>,
    /// Files that it is not, by whatever name.
    never: Vec<PathBuf>,
}

impl AuditFile {
    /// Opens the file at `path`, or makes it, readable by its owner alone. `never`: files that it must not be.
    pub(super) fn open(path: &Path, max: Option<u64>, never: Vec<PathBuf>) -> io::Result<Self> {
        let (file, bytes) = open(path, &never)?;
        Ok(Self {
            path: path.to_owned(),
            is_regular: file.metadata()?.is_file(),
            file,
            bytes,
            max,
            never,
        })
    }

    /// Opens it again by its name, and gives whether it is the same file. Where that fails, the one that is open is kept.
    pub(super) fn reopen(&mut self) -> io::Result<bool> {
        let was = identity(&self.file.metadata()?);
        let (file, bytes) = self.open_again()?;
        let metadata = file.metadata()?;
        (self.file, self.bytes) = (file, bytes);
        self.is_regular = metadata.is_file();
        Ok(identity(&metadata) == was)
    }

    fn open_again(&self) -> io::Result<(File, u64)> {
        open(&self.path, &self.never)
    }

    /// Whether it has no name any more.
    pub(super) fn is_deleted(&self) -> io::Result<bool> {
        Ok(self.is_regular && self.file.metadata()?.nlink() == 0)
    }

    /// Appends some of `bytes`, at least one, and gives how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    /// Waits until the disk has what was written.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.is_regular {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }

    /// Sets the file aside under the time `now` if it is large, and begins another. To be called between two lines,
    /// with everything synced.
    pub(super) fn set_aside(&mut self, now: Timestamp) -> io::Result<Option<PathBuf>> {
        if !self.is_regular || self.max.is_none_or(|max| self.bytes < max) {
            return Ok(None);
        }
        let aside = unused(&self.path, now)?;
        std::fs::rename(&self.path, &aside)?;
        let opened = self.open_again();
        let (file, bytes) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // As before: the records go on into the file that is open, under the name that it had.
                std::fs::rename(&aside, &self.path)?;
                return Err(error);
            }
        };
        (self.file, self.bytes) = (file, bytes);
        Ok(Some(aside))
    }
}

/// Opens a file for appending, at the beginning of a line; with its length. A pipe is refused: what is in it goes with
/// whoever reads it.
///
/// Nor is one of `never` opened: to close a file that SQLite has open takes SQLite's locks away.
fn open(path: &Path, never: &[PathBuf]) -> io::Result<(File, u64)> {
    match std::fs::metadata(path) {
        Ok(found) if is_one_of(&found, never) => {
            return Err(io::Error::other("it is a file of the store's: name another"));
        }
        Ok(found) if found.file_type().is_fifo() || found.file_type().is_socket() => {
            return Err(io::Error::other("it is a pipe, which keeps nothing: name a file"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let mut bytes = file
        .metadata()
        .map(|of| if of.is_file() { of.len() } else { 0 })?;
    let mut last = [b'\n'];
    if bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        // The line that a crash has torn is to spoil no other.
        file.write_all(b"\n")?;
        bytes += 1;
    }
    sync_folder(path)?;
    Ok((file, bytes))
}

/// What a file is known by, whatever its name.
fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

fn is_one_of(found: &Metadata, others: &[PathBuf]) -> bool {
    let others = others.iter().filter_map(|other| std::fs::metadata(other).ok());
    others
        .map(|other| identity(&other))
        .any(|other| other == identity(found))
}

/// A new name is not on the disk before its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// `audit.jsonl` at that time: `audit-20261127T030000Z.jsonl`, with a number where there is one already.
fn unused(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    for number in 0..10_000_u32 {
        let number = if number == 0 {
            String::new()
        } else {
            format!("-{number}")
        };
        let mut name = format!("{stem}-{time}{number}");
        if let Some(extension) = &extension {
            name.push('.');
            name.push_str(extension);
        }
        let aside = path.with_file_name(name);
        if !aside.try_exists()? {
            return Ok(aside);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_large_file_is_set_aside_and_none_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = AuditFile::open(&path, Some(6), Vec::new()).unwrap();
        let now: Timestamp = "2026-11-27T03:00:00Z".parse().unwrap();
        assert_eq!(file.write(b"one\n").unwrap(), 4);
        assert_eq!(file.set_aside(now).unwrap(), None);
        for line in [b"two\n", b"333\n", b"444\n", b"555\n"] {
            assert_eq!(file.write(line).unwrap(), 4);
            file.set_aside(now).unwrap();
        }
        file.sync().unwrap();
        let names = names(folder.path());
        assert_eq!(
            names,
            [
                "audit-20261127T030000Z-1.jsonl",
                "audit-20261127T030000Z.jsonl",
                "audit.jsonl"
            ]
        );
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            names.iter().map(|name| read(name)).collect::<Vec<_>>(),
            ["333\n444\n", "one\ntwo\n", "555\n"]
        );
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_torn_line_is_ended_and_a_file_that_was_moved_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        std::fs::write(&path, "whole\ntorn").unwrap();
        let mut file = AuditFile::open(&path, Some(100), Vec::new()).unwrap();
        file.write(b"next\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole\ntorn\nnext\n");
        let moved = folder.path().join("audit.1");
        std::fs::rename(&path, &moved).unwrap();
        file.write(b"still\n").unwrap();
        file.reopen().unwrap();
        file.write(b"new\n").unwrap();
        assert_eq!(
            std::fs::read_to_string(&moved).unwrap(),
            "whole\ntorn\nnext\nstill\n"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
    }

    #[test]
    fn what_cannot_be_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            AuditFile::open(folder.path(), None, Vec::new()).is_err(),
            "a folder"
        );
        assert!(AuditFile::open(&folder.path().join("none/audit"), None, Vec::new()).is_err());
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let error = AuditFile::open(&folder.path().join("socket"), None, Vec::new()).unwrap_err();
        assert!(error.to_string().contains("keeps nothing"), "{error}");

        // Another name of what is somebody else's.
        let store = folder.path().join("holdpoint.db");
        std::fs::write(&store, "").unwrap();
        let link = folder.path().join("audit");
        std::os::unix::fs::symlink(&store, &link).unwrap();
        for name in [
            folder
                .path()
                .join("../")
                .join(folder.path().file_name().unwrap())
                .join("holdpoint.db"),
            link,
        ] {
            let error = AuditFile::open(&name, None, vec![store.clone()]).unwrap_err();
            assert!(error.to_string().contains("of the store's"), "{error}");
        }
        assert_eq!(std::fs::read(&store).unwrap(), b"");
    }
}
