//! Whole trees: RMDA, and copies of directories. After each step the client is looked after.

use std::collections::BTreeSet;

use crate::env::{Access, Env, StorageError};
use crate::proto::entry::{Attributes, Kind};
use crate::proto::path::VPath;

/// Remove a directory and all that is in it. Links are removed and not followed.
pub(super) async fn remove<E: Env>(env: &E, volume: &E::Volume, root: VPath) -> Result<(), StorageError> {
    // Directories to be emptied, and those that are empty by the time they come up.
    let mut stack = vec![(root, false)];
    while let Some((path, is_empty)) = stack.pop() {
        env.yield_now().await;
        if is_empty {
            env.remove_directory(volume, &path).await?;
            continue;
        }
        let (inside, complete) = remove_files(env, volume, &path).await?;
        stack.push((path, complete));
        stack.extend(inside.into_iter().map(|path| (path, false)));
    }
    Ok(())
}

/// Remove everything in a directory but the directories, of which some are returned; and whether these are
/// all.
async fn remove_files<E: Env>(env: &E, volume: &E::Volume, path: &VPath) -> Result<(Vec<VPath>, bool), StorageError> {
    let (mut inside, mut octets) = (Vec::new(), 0);
    let directory = env.list(volume, path).await?;
    loop {
        let entries = env.next_entries(&directory).await?;
        if entries.is_empty() {
            return Ok((inside, true));
        }
        for entry in entries {
            let child = path.child(&entry.name).map_err(|_| StorageError::BadName)?;
            match env.remove_file(volume, &child).await {
                // What was listed as a directory may be a link to one, and that is removed.
                Err(StorageError::NotFile) if entry.attributes.kind == Kind::Directory => {
                    octets += child.as_bytes().len();
                    inside.push(child);
                }
                Ok(()) | Err(StorageError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        if octets >= MAX_AHEAD {
            return Ok((inside, false));
        }
        env.yield_now().await;
    }
}

/// Copy a directory, whose attributes are `root`, with all that is in it. Links are followed, no directory
/// is copied twice, and what is neither file nor directory is left out.
pub(super) async fn copy<E: Env>(
    env: &E,
    volume: &E::Volume,
    from: VPath,
    to: VPath,
    root: Attributes,
) -> Result<(), StorageError> {
    let mut seen = BTreeSet::from([root.unique]);
    let (mut stack, mut octets) = (vec![(from, to)], 0);
    while let Some((from, to)) = stack.pop() {
        octets -= usize::min(octets, from.as_bytes().len() + to.as_bytes().len());
        match env.make_directory(volume, &to).await {
            Ok(()) | Err(StorageError::Exists) => {}
            Err(error) => return Err(error),
        }
        // What is made there is not copied again.
        seen.insert(env.stat(volume, &to).await?.unique);
        let directory = env.list(volume, &from).await?;
        loop {
            let entries = env.next_entries(&directory).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let name = |path: &VPath| path.child(&entry.name).map_err(|_| StorageError::BadName);
                let (from, to) = (name(&from)?, name(&to)?);
                match entry.attributes.kind {
                    Kind::File => copy_file(env, volume, &from, &to).await?,
                    Kind::Directory if seen.len() >= MAX_DIRECTORIES || octets > MAX_WAITING => {
                        return Err(StorageError::NoSpace);
                    }
                    Kind::Directory if seen.insert(entry.attributes.unique) => {
                        octets += from.as_bytes().len() + to.as_bytes().len();
                        stack.push((from, to));
                    }
                    Kind::Directory | Kind::Link | Kind::Other => {}
                }
                env.yield_now().await;
            }
        }
    }
    Ok(())
}

/// Copy one file.
pub(super) async fn copy_file<E: Env>(
    env: &E,
    volume: &E::Volume,
    from: &VPath,
    to: &VPath,
) -> Result<(), StorageError> {
    let source = env.open(volume, from, Access::Read).await?;
    let file = env.open(volume, to, Access::Replace).await?;
    // Half a copy is of no use to anybody.
    env.discard(&file);
    env.end_of_work(&env.copy(&file, &source)).await?;
    env.finish_file(&file).await
}

/// Octets of pathnames that are known of and not yet removed, for each level, of which a path has hundreds.
const MAX_AHEAD: usize = 16 * 1024;

/// Octets of pathnames that wait to be copied.
const MAX_WAITING: usize = 4 * 1024 * 1024;

/// Directories of one copy: what the session remembers of them must have an end.
const MAX_DIRECTORIES: usize = 20_000;
