//! `levada init`: a project with a first pipeline that runs as it is.

use std::path::Path;

use levada_core::config::PROJECT_FILE;
use levada_core::error::{Context as _, Error, ErrorKind};
use serde_json::json;

use super::{Context, Outcome, one};
use crate::cli::InitArgs;

const PROJECT: &str = "\
# The systems this project talks to. `levada check` tries them, `levada discover NAME` lists their streams.
version: 1
connections:
  inbox: ./data
  warehouse: ./warehouse.db
  # shop: \"${SHOP_URL}\"                # a URL from the environment; or in parts, with a secret:
  # dw: { type: .., host: 127.0.0.1, database: dw, user: etl, password: \"${secret:dw}\" }
";

const PIPELINE: &str = "\
# levada validate pipelines/first.yaml
# levada plan pipelines/first.yaml
# levada run pipelines/first.yaml
# levada apply && levada serve
version: 1
name: first
description: A file into a database
# schedule: \"0 6 * * *\"
sync:
  from: inbox
  to: warehouse
  streams:
    customers.csv:
      key: [id]
      # columns: { exclude: [city], hash: [name] }
      # on_bad_row: quarantine
";

const DATA: &str = "\
id,name,city,since
1,Ana Sousa,Funchal,2024-03-01
2,Rui Freitas,Machico,2024-05-17
3,\"Nunes, Marta\",Calheta,
";

/// Writes the files; none that exists is touched.
pub fn execute(context: &Context, args: &InitArgs) -> Outcome {
    let files = [(PROJECT_FILE, PROJECT), ("pipelines/first.yaml", PIPELINE), ("data/customers.csv", DATA)];
    let exists = files.iter().map(|(name, _)| args.folder.join(name)).find(|path| path.exists());
    if let Some(path) = exists {
        return Err(one(Error::new(ErrorKind::Usage, "there is a project already")
            .at(path.display().to_string())
            .advise("Choose another folder: `levada init FOLDER`.")));
    }
    for (name, text) in files {
        write(&args.folder.join(name), text)?;
    }
    if context.output.is_json() {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        context.output.json(&json!({ "folder": args.folder.display().to_string(), "files": names }));
        return Ok(0);
    }
    for (name, _) in files {
        context.output.line(&args.folder.join(name).display().to_string());
    }
    let go = if args.folder == Path::new(".") { String::new() } else { format!("cd {} && ", args.folder.display()) };
    context.output.note(&format!("\nNext: {go}levada run pipelines/first.yaml"));
    context.output.note("Then, to have it run by itself: levada apply && levada serve");
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<(), super::Errors> {
    let shown = path.display().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).at(&shown).map_err(one)?;
    }
    std::fs::write(path, text).at(shown).map_err(one)
}
