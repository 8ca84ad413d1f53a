#include "agent/cli/completion.h"

#include "checkers/registry.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <vector>

namespace sonde::cli {
namespace {

/// A verb with its flags: "check", "config check".
struct Verb {
    std::string words;
    std::vector<std::string> next;   ///< verbs below it
    std::vector<std::string> flags;  ///< "--timeout", "-4"
    std::vector<std::string> names;  ///< first positional argument: "dns http ping tcp"
};

std::vector<std::string> kind_names()
{
    std::vector<std::string> names;
    for (const checkers::Kind* kind : checkers::all_kinds())
        names.emplace_back(kind->name);
    return names;
}

std::vector<Verb> verbs_of(const CLI::App& app)
{
    std::vector<Verb> all;
    const std::function<void(const CLI::App&, const std::string&)> visit =
        [&](const CLI::App& at, const std::string& words) {
            Verb verb{words, {}, {}, {}};
            for (const CLI::Option* option : at.get_options()) {
                for (const std::string& name : option->get_lnames())
                    verb.flags.push_back("--" + name);
                for (const std::string& name : option->get_snames())
                    verb.flags.push_back("-" + name);
                if (option->get_positional() && option->get_name() == "KIND")
                    verb.names = kind_names();
                if (option->get_positional() && option->get_name() == "SHELL")
                    verb.names = {"bash", "zsh", "fish"};
            }
            for (const CLI::App* below : at.get_subcommands(nullptr))
                verb.next.push_back(below->get_name());
            all.push_back(verb);
            for (const CLI::App* below : at.get_subcommands(nullptr))
                visit(*below, words.empty() ? below->get_name() : words + ' ' + below->get_name());
        };
    visit(app, "");
    return all;
}

std::string offered(const Verb& verb)
{
    std::vector<std::string> words = verb.next;
    words.insert(words.end(), verb.names.begin(), verb.names.end());
    words.insert(words.end(), verb.flags.begin(), verb.flags.end());
    return fmt::format("{}", fmt::join(words, " "));
}

/// bash; zsh runs the same function through bashcompinit.
std::string for_bash(const std::vector<Verb>& verbs)
{
    std::string cases;
    for (const Verb& verb : verbs)
        cases += fmt::format("        \"{}\") words=\"{}\" ;;\n", verb.words, offered(verb));
    return "_sonde()\n{\n"
           "    local word verb= words=\n"
           "    local current=\"${COMP_WORDS[COMP_CWORD]}\" "
           "before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        case \"$word\" in\n"
           "        check|run|config|token|version|completion|hash) "
           "verb=\"${verb:+$verb }$word\" ;;\n"
           "        esac\n"
           "    done\n"
           "    case \"$before\" in\n"
           "    -f|--file|--config|--ca|--cert|--key|--body-file|--token-file)\n"
           "        COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
           "    -o|--output)\n"
           "        COMPREPLY=($(compgen -W \"human json jsonl prom logfmt nagios curl\" -- "
           "\"$current\")); return ;;\n"
           "    esac\n"
           "    case \"$verb\" in\n" +
           cases +
           "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -F _sonde sonde\n";
}

std::string for_fish(const CLI::App& app)
{
    std::string out = "complete -c sonde -f\n";
    const auto quoted = [](std::string text) {
        for (std::size_t at = 0; (at = text.find_first_of("'\\", at)) != std::string::npos; at += 2)
            text.insert(at, 1, '\\');
        return "'" + text + "'";
    };
    const std::function<void(const CLI::App&, const std::string&)> visit =
        [&](const CLI::App& at, const std::string& when) {
            for (const CLI::Option* option : at.get_options()) {
                if (option->get_positional())
                    continue;
                std::string names;
                for (const std::string& name : option->get_lnames())
                    names += " -l " + name;
                for (const std::string& name : option->get_snames())
                    names += " -s " + name;
                out += fmt::format("complete -c sonde -n {}{}{} -d {}\n", quoted(when), names,
                    option->get_items_expected_max() > 0 ? " -r" : "",
                    quoted(option->get_description()));
            }
            for (const CLI::App* below : at.get_subcommands(nullptr)) {
                out += fmt::format("complete -c sonde -n {} -a {} -d {}\n", quoted(when),
                    below->get_name(), quoted(below->get_description()));
                visit(*below, "__fish_seen_subcommand_from " + below->get_name());
            }
        };
    visit(app, "__fish_use_subcommand");
    return out + fmt::format("complete -c sonde -n '__fish_seen_subcommand_from check' -a '{}'\n",
                     fmt::join(kind_names(), " "));
}

}  // namespace

Result<std::string> completion(const CLI::App& app, std::string_view shell)
{
    if (shell == "bash")
        return for_bash(verbs_of(app));
    if (shell == "zsh")
        return "#compdef sonde\nautoload -U +X bashcompinit && bashcompinit\n" +
               for_bash(verbs_of(app));
    if (shell == "fish")
        return for_fish(app);
    return error("bad_value", "sonde completion: \"{}\" is none of bash, zsh, fish", shell);
}

}  // namespace sonde::cli
