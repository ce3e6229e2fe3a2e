//! Completions for bash, zsh and fish.
//!
//! A script offers commands, flags and the words that a flag's metavariable stands for. Instance names are asked of
//! `queuewatch generate words instances` when they are needed.

use std::fmt::Write as _;

use super::{Described, FIXED, Values, fixed, values_of};
use crate::args::Flag;
use queuewatch::options::Takes;

/// Whether a word of this kind may go on behind a bracket, so that no blank follows it.
fn goes_on(kind: &str) -> bool {
    matches!(kind, "measures" | "topics")
}

/// The flags of one, as words of a command line.
fn flag_words(flags: &[Flag]) -> String {
    let mut words = Vec::new();
    for flag in flags {
        words.extend(flag.short.map(|short| format!("-{short}")));
        words.push(format!("--{}", flag.name));
    }
    words.join(" ")
}

/// The pattern of a shell's `case` for a flag that takes a value.
fn pattern(flag: &Flag) -> String {
    match flag.short {
        Some(short) => format!("-{short}|--{}", flag.name),
        None => format!("--{}", flag.name),
    }
}

fn bash_values(values: &Values) -> String {
    match values {
        Values::Free => "COMPREPLY=()".to_owned(),
        Values::Files => "COMPREPLY=($(compgen -f -- \"$cur\"))".to_owned(),
        Values::Directories => "COMPREPLY=($(compgen -d -- \"$cur\"))".to_owned(),
        Values::One(words) => format!(
            "COMPREPLY=($(compgen -W '{}' -- \"$cur\"))",
            words.join(" ")
        ),
        Values::Words(kind) if goes_on(kind) => {
            // As a file name the shell quotes it, else the bracket of `older(` would be a syntax error.
            format!("_queuewatch_words {kind}; compopt -o nospace -o filenames")
        }
        Values::Words(kind) => format!("_queuewatch_words {kind}"),
    }
}

fn bash_one(script: &mut String, one: &Described, indent: &str) {
    let _ = writeln!(script, "{indent}case $prev in");
    for flag in &one.flags {
        if let Some(values) = values_of(flag) {
            let _ = writeln!(
                script,
                "{indent}    {}) {}; return ;;",
                pattern(flag),
                bash_values(&values)
            );
        }
    }
    let _ = writeln!(script, "{indent}esac");
    let _ = writeln!(
        script,
        "{indent}if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return; fi",
        flag_words(&one.flags)
    );
}

/// The word to complete and the one before it. bash takes `--cause=x` apart into three words.
const BASH_WORD: &str = "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n    \
     COMPREPLY=()\n    \
     if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n";

/// The script for bash.
pub(super) fn bash(all: &[Described]) -> String {
    let mut script = String::from(
        "# bash completion for queuewatch and check_postfix_queue; made by `queuewatch generate bash`.\n\n\
         _queuewatch_words() {\n    local words at directory=()\n    case $1 in\n",
    );
    for kind in FIXED {
        let words = fixed(kind).unwrap_or_default().join(" ");
        let _ = writeln!(script, "        {kind}) words='{words}' ;;");
    }
    script.push_str(
        // Instances: of the configuration directory that is typed before. `short` is its short flag.
        "        *)\n            for ((at = 1; at < COMP_CWORD; at++)); do\n                \
         [[ ${COMP_WORDS[at]} == --config-directory || ${COMP_WORDS[at]} == \"$short\" ]] || continue\n                \
         [[ ${COMP_WORDS[at+1]} == = ]] && ((at++))\n                \
         directory=(\"${COMP_WORDS[at+1]}\")\n            done\n            \
         words=$(queuewatch generate words \"$1\" \"${directory[@]}\" 2>/dev/null) ;;\n    esac\n    \
         COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n\n\
         _queuewatch() {\n    local short=-c\n",
    );
    script.push_str(BASH_WORD);
    let commands: Vec<&str> = all.iter().filter_map(Described::command).collect();
    let _ = writeln!(
        script,
        "    if [[ $COMP_CWORD -eq 1 ]]; then COMPREPLY=($(compgen -W '{} --help --version' -- \"$cur\")); return; fi",
        commands.join(" ")
    );
    script.push_str("    case ${COMP_WORDS[1]} in\n");
    for one in all {
        if let Some(command) = one.command() {
            let _ = writeln!(script, "    {command})");
            bash_one(&mut script, one, "        ");
            let _ = writeln!(script, "        {}", bash_values(&one.operands()));
            script.push_str("        ;;\n");
        }
    }
    script.push_str("    esac\n}\n\n_check_postfix_queue() {\n    local short=-d\n");
    script.push_str(BASH_WORD);
    for one in all
        .iter()
        .filter(|one| one.invocation.starts_with("check_"))
    {
        bash_one(&mut script, one, "    ");
    }
    script.push_str(
        "}\n\ncomplete -F _queuewatch queuewatch\ncomplete -F _check_postfix_queue check_postfix_queue\n",
    );
    script
}

/// A help text inside brackets of an `_arguments` specification.
fn zsh_text(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        match letter {
            '\'' => safe.push_str("'\\''"),
            '[' | ']' | ':' | '\\' | '`' | '$' => {
                safe.push('\\');
                safe.push(letter);
            }
            _ => safe.push(letter),
        }
    }
    safe
}

fn zsh_values(values: &Values) -> String {
    match values {
        Values::Free => String::new(),
        Values::Files => "_files".to_owned(),
        Values::Directories => "_files -/".to_owned(),
        Values::One(words) => format!("({})", words.join(" ")),
        Values::Words(kind) => format!("_queuewatch_{kind}"),
    }
}

fn zsh_one(script: &mut String, one: &Described, indent: &str) {
    let _ = write!(script, "{indent}_arguments -s");
    for flag in &one.flags {
        let mut tail = format!("[{}]", zsh_text(flag.help));
        if let (Some(values), Takes::One(what) | Takes::Many(what)) = (values_of(flag), flag.takes)
        {
            let _ = write!(tail, ":{}:{}", zsh_text(what), zsh_values(&values));
        }
        let many = matches!(flag.takes, Takes::Many(_)) || flag.name == "verbose";
        let star = if many { "*" } else { "" };
        let value = if values_of(flag).is_some() { "+" } else { "" };
        if let Some(short) = flag.short {
            let _ = write!(script, " \\\n{indent}    '{star}-{short}{value}{tail}'");
        }
        let value = if values_of(flag).is_some() { "=" } else { "" };
        let _ = write!(
            script,
            " \\\n{indent}    '{star}--{}{value}{tail}'",
            flag.name
        );
    }
    let operands = match one.operands() {
        Values::Free => String::new(),
        values => format!(" \\\n{indent}    '*:operand:{}'", zsh_values(&values)),
    };
    let _ = writeln!(script, "{operands}");
}

/// The script for zsh.
pub(super) fn zsh(all: &[Described]) -> String {
    let mut script = String::from(
        "#compdef queuewatch check_postfix_queue\n\
         # zsh completion; made by `queuewatch generate zsh`.\n\n",
    );
    for kind in FIXED {
        let suffix = if goes_on(kind) { " -S ''" } else { "" };
        let words = fixed(kind).unwrap_or_default().join("' '");
        let _ = writeln!(
            script,
            "_queuewatch_{kind}() {{ compadd{suffix} -- '{words}' }}"
        );
    }
    script.push_str(
        "_queuewatch_instances() {\n    local short=-c directory\n    \
         [[ $service == check_postfix_queue ]] && short=-d\n    \
         directory=${opt_args[--config-directory]:-${opt_args[$short]}}\n    \
         compadd -- ${(f)\"$(queuewatch generate words instances ${(Q)directory} 2>/dev/null)\"}\n}\n\n\
         _queuewatch_command() {\n    case $1 in\n",
    );
    for one in all {
        if let Some(command) = one.command() {
            let _ = writeln!(script, "    {command})");
            zsh_one(&mut script, one, "        ");
            script.push_str("        ;;\n");
        }
    }
    // zsh takes the whole file as the function `_queuewatch`, for both programs. A function of that name in it would
    // take its place at the first call.
    script.push_str("    esac\n}\n\n_queuewatch_tool() {\n    local -a commands\n    commands=(\n");
    for one in all {
        if let Some(command) = one.command() {
            let _ = writeln!(script, "        '{command}:{}'", zsh_text(&one.summary));
        }
    }
    script.push_str(
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n    else\n        \
         local command=$words[2]\n        shift words\n        (( CURRENT-- ))\n        \
         _queuewatch_command $command\n    fi\n}\n\n_check_postfix_queue() {\n",
    );
    for one in all
        .iter()
        .filter(|one| one.invocation.starts_with("check_"))
    {
        zsh_one(&mut script, one, "    ");
    }
    script.push_str(
        "}\n\ncase $service in\ncheck_postfix_queue) _check_postfix_queue \"$@\" ;;\n\
         *) _queuewatch_tool \"$@\" ;;\nesac\n",
    );
    script
}

/// A text inside single quotes of fish.
fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

fn fish_values(values: &Values) -> String {
    match values {
        Values::Free => " -x".to_owned(),
        Values::Files => " -rF".to_owned(),
        Values::Directories => " -x -a '(__fish_complete_directories)'".to_owned(),
        Values::One(words) => format!(" -x -a '{}'", words.join(" ")),
        // fish would read the bracket of `older(` as a command.
        Values::Words("instances") => {
            " -x -a '(queuewatch generate words instances (__queuewatch_configuration) 2>/dev/null)'"
                .to_owned()
        }
        Values::Words(kind) => format!(" -x -a '(queuewatch generate words {kind} 2>/dev/null)'"),
    }
}

/// The configuration directory that is typed, for the names of its instances.
const FISH_CONFIGURATION: &str = "\
function __queuewatch_configuration
    set -l words (commandline -opc)
    set -l short -c
    string match -q -- '*check_postfix_queue' $words[1]; and set short -d
    for at in (seq (count $words))
        if contains -- $words[$at] --config-directory $short
            echo $words[(math $at + 1)]
        else
            string replace -f -- --config-directory= '' $words[$at]
        end
    end | tail -n 1
end

";

/// The script for fish.
pub(super) fn fish(all: &[Described]) -> String {
    let mut script = String::from(
        "# fish completion for queuewatch and check_postfix_queue; made by `queuewatch generate fish`.\n\n",
    );
    script.push_str(FISH_CONFIGURATION);
    script.push_str("complete -c queuewatch -f\n");
    for one in all {
        let (program, condition) = match one.command() {
            Some(command) => (
                "queuewatch",
                format!(" -n '__fish_seen_subcommand_from {command}'"),
            ),
            None if one.invocation == "queuewatch" => {
                ("queuewatch", " -n __fish_use_subcommand".to_owned())
            }
            None => ("check_postfix_queue", String::new()),
        };
        if let Some(command) = one.command() {
            let _ = writeln!(
                script,
                "complete -c queuewatch -n __fish_use_subcommand -a {command} -d '{}'",
                fish_text(&one.summary)
            );
            if let values @ (Values::Words(_) | Values::Directories) = one.operands() {
                let arguments = fish_values(&values).replace(" -x", "");
                let _ = writeln!(script, "complete -c queuewatch{condition}{arguments}");
            }
        }
        for flag in &one.flags {
            let short = flag.short.map(|short| format!(" -s {short}"));
            let values = values_of(flag).map(|values| fish_values(&values));
            let _ = writeln!(
                script,
                "complete -c {program}{condition}{} -l {}{} -d '{}'",
                short.unwrap_or_default(),
                flag.name,
                values.unwrap_or_default(),
                fish_text(flag.help)
            );
        }
    }
    script
}
