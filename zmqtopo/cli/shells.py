"""What each shell has to be told to ask ``zmqtopo completion`` for what may come next.

A script of a few lines that asks is never out of date, where one that knows the verbs and options would be after an
upgrade; and the three shells cannot differ in what they offer.
"""

from __future__ import annotations

from typing import Final

FILES: Final = ":files"
"""A line that stands for the files that begin with the word; no name has a colon."""

_BASH: Final = r"""# Completion of zmqtopo for bash. In ~/.bashrc:  eval "$(zmqtopo completion bash)"
_zmqtopo() {
    local line cur=${COMP_WORDS[COMP_CWORD]}
    [[ $cur == "=" ]] && cur=""
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == ":files" ]]; then
            compopt -o filenames 2>/dev/null    # bash 3.2 has none, and adds no slash to a folder then
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("${1/#\~\//$HOME/}" completion bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _zmqtopo zmqtopo
"""

_ZSH: Final = r"""#compdef zmqtopo
# Completion of zmqtopo for zsh. In ~/.zshrc, after compinit:  source <(zmqtopo completion zsh)
_zmqtopo() {
    local line files
    local -a found
    for line in "${(@f)$(${~words[1]} completion zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == ":files" ]]; then
            files=yes
        elif [[ -n $line ]]; then
            found+=("${${line//:/\\:}/$'\t'/:}")
        fi
    done
    (( $#found )) && _describe zmqtopo found
    [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _zmqtopo ]]; then
    _zmqtopo "$@"
else
    compdef _zmqtopo zmqtopo
fi
"""

_FISH: Final = r"""# Completion of zmqtopo for fish. In ~/.config/fish/config.fish:  zmqtopo completion fish | source
function __zmqtopo_next
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] completion fish $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c zmqtopo -f -a '(__zmqtopo_next)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
