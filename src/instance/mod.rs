//! stub until the helper's room arrives
#![allow(missing_docs)]
use crate::error::{Error, ErrorKind, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
#[derive(Debug, Clone)]
pub struct Instance {
    pub name: String,
    pub config_directory: Option<PathBuf>,
    pub queue_directory: PathBuf,
    pub settings: Settings,
    pub warnings: Vec<String>,
}
#[derive(Debug, Clone)]
pub struct Settings {
    pub queue_run_delay: i64,
    pub maximal_queue_lifetime: i64,
    pub bounce_queue_lifetime: i64,
    pub qmgr_message_active_limit: u64,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            queue_run_delay: 300,
            maximal_queue_lifetime: 432000,
            bounce_queue_lifetime: 432000,
            qmgr_message_active_limit: 20000,
        }
    }
}
#[derive(Debug, Clone)]
pub enum Selection {
    Default,
    ConfigDirectory(PathBuf),
    QueueDirectory(PathBuf),
    All,
    Named(Vec<String>),
}
#[derive(Debug, Clone)]
pub enum Master {
    Running { pid: Option<u32> },
    Stopped,
    Unknown(String),
}
pub fn master(_q: &Path) -> Master {
    Master::Stopped
}
pub fn find(s: &Selection, _m: Option<&OsStr>) -> Result<Vec<Result<Instance>>> {
    match s {
        Selection::QueueDirectory(p) => Ok(vec![Ok(Instance {
            name: "postfix".into(),
            config_directory: None,
            queue_directory: p.clone(),
            settings: Settings::default(),
            warnings: vec![],
        })]),
        _ => Err(Error::new(ErrorKind::Unsupported, "stub")),
    }
}
