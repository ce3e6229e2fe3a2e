//! What a shape is taken of: the queues and directories that were named.

use std::ffi::OsString;
use std::path::Path;

use super::Options;
use crate::error::{Error, Result};
use crate::instance;
use crate::postfix::queue::Queue;
use crate::scan::Spool;
use crate::shape::{self, Shape, ShapeRoot};

/// Which tables of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeTables {
    /// Recipients by destination domain.
    pub recipients: bool,
    /// Messages by sender domain.
    pub senders: bool,
    /// Whether to take in what qshape hides.
    pub all: bool,
}

impl Options {
    /// Returns what a shape is taken of: the queues or other directories `names` of every instance, all of
    /// them in part 0. An absolute path stands for itself. The second value has the broken instances.
    ///
    /// # Errors
    /// If the options contradict each other, no instance can be looked at, or the caller of a program with
    /// borrowed rights may not name a place.
    pub fn shape_of(
        &self,
        names: &[OsString],
        tables: ShapeTables,
    ) -> Result<(shape::ShapeRequest, Vec<Error>)> {
        let places = names.iter().map(Path::new);
        instance::check_places(places, self.config_directory.as_deref())?;
        let mut request = self.shape_request(tables);
        let mut broken = Vec::new();
        let absolute = |name: &&OsString| Path::new(name).is_absolute();
        for name in names.iter().filter(absolute) {
            request.places.push(ShapeRoot {
                path: name.into(),
                queue: None,
                part: 0,
            });
        }
        if names.iter().all(|name| absolute(&name)) {
            return Ok((request, broken));
        }
        let instances = self.instances()?;
        let several = instances.len() > 1;
        for instance in instances {
            let spool = instance.and_then(|instance| {
                Spool::open(&instance.queue_directory).map(|_| instance.queue_directory)
            });
            let directory = match spool {
                Ok(directory) => std::path::absolute(&directory)
                    .map_err(|cause| Error::io("find the directory", &directory, &cause))?,
                Err(error) if several => {
                    broken.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            // qshape ignores a queue without a name.
            for name in names
                .iter()
                .filter(|name| !absolute(name) && !name.is_empty())
            {
                request.places.push(ShapeRoot {
                    path: directory.join(name),
                    queue: name.to_str().and_then(Queue::from_name),
                    part: 0,
                });
            }
        }
        if request.places.is_empty() && !broken.is_empty() {
            return Err(broken.swap_remove(0));
        }
        Ok((request, broken))
    }

    /// Takes the shape of all queues of all instances in one pass, each queue as the part with its
    /// index; queues left out are empty.
    ///
    /// # Errors
    /// If the options contradict each other or no instance can be looked at; one that is broken
    /// beside others makes the shape incomplete.
    pub(crate) fn shape(&self, tables: ShapeTables) -> Result<Shape> {
        self.given_rules()?;
        let mut names = Vec::new();
        for queue in self.queues().iter() {
            names.push(OsString::from(queue.name()));
        }
        let (mut request, mut broken) = self.shape_of(&names, tables)?;
        request.parts = Queue::ALL.len();
        for place in &mut request.places {
            place.part = place.queue.map_or(0, Queue::index);
        }
        let mut shape = Shape::take(&request, None);
        shape.unreadable += broken.len() as u64;
        shape.gaps.append(&mut broken);
        Ok(shape)
    }

    fn shape_request(&self, tables: ShapeTables) -> shape::ShapeRequest {
        shape::ShapeRequest {
            places: Vec::new(),
            parts: 0,
            buckets: self.buckets,
            now: self.now(),
            recipients: tables.recipients,
            senders: tables.senders,
            all: tables.all,
            readers: self.readers(),
            deadline: self.deadline(),
        }
    }
}
