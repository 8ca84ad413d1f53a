#include "agent/cli/completion.h"

#include "agent/base/text.h"

#include <CLI/CLI.hpp>

#include <vector>

namespace sonde::cli {
namespace {

/// A verb with the words that lead to it: none for the program itself, "config", "check".
struct Verb {
    std::vector<std::string> path;
    const CLI::App& app;
};

void gather(const CLI::App& app, const std::vector<std::string>& path, std::vector<Verb>& into)
{
    into.push_back({path, app});
    for (const CLI::App* below : app.get_subcommands(nullptr)) {
        auto longer = path;
        longer.push_back(below->get_name());
        gather(*below, longer, into);
    }
}

std::vector<Verb> verbs_of(const CLI::App& app)
{
    std::vector<Verb> all;
    gather(app, {}, all);
    return all;
}

/// The words that an option takes, which CLI11 shows in its type: "TEXT:{table,json}"; none: any
/// text.
std::vector<std::string> values_of(const CLI::Option& option)
{
    if (option.get_single_name() == "SHELL")
        return {"bash", "zsh", "fish"};
    const std::string type = option.get_type_name();
    const auto open = type.find('{');
    const auto close = type.find('}');
    std::vector<std::string> values;
    if (open != std::string::npos && close != std::string::npos && open < close)
        for (const auto word : text::split({type.data() + open + 1, close - open - 1}, ','))
            values.emplace_back(word);
    return values;
}

std::vector<std::string> flags_of(const CLI::Option& option)
{
    std::vector<std::string> flags;
    for (const std::string& name : option.get_lnames())
        flags.push_back("--" + name);
    for (const std::string& name : option.get_snames())
        flags.push_back("-" + name);
    return flags;
}

void append(std::vector<std::string>& all, const std::vector<std::string>& more)
{
    all.insert(all.end(), more.begin(), more.end());
}

/// What may stand behind a verb: verbs below it, what its arguments can be, flags.
std::string offered(const CLI::App& verb)
{
    std::vector<std::string> words;
    for (const CLI::App* below : verb.get_subcommands(nullptr))
        words.push_back(below->get_name());
    for (const CLI::Option* option : verb.get_options())
        append(words, option->get_positional() ? values_of(*option) : flags_of(*option));
    return fmt::format("{}", fmt::join(words, " "));
}

/// bash; zsh runs the same function through bashcompinit. Where it has nothing to offer, as for
/// flags that take a file, `-o default` has names of files.
std::string for_bash(const std::vector<Verb>& verbs)
{
    std::vector<std::string> files;
    std::vector<std::string> below;
    std::string values;
    std::string cases;
    for (const Verb& verb : verbs) {
        cases += fmt::format(
            "        \"{}\") offered=\"{}\" ;;\n", fmt::join(verb.path, " "), offered(verb.app));
        if (verb.path.size() > 1)
            below.push_back(fmt::format("\"{}\"", fmt::join(verb.path, " ")));
        for (const CLI::Option* option : verb.app.get_options()) {
            const auto words = values_of(*option);
            if (option->get_type_name() == "FILE")
                append(files, flags_of(*option));
            else if (!option->get_positional() && !words.empty())
                for (const std::string& flag : flags_of(*option))
                    values += fmt::format("    \"{} {}\") offered=\"{}\" ;;\n",
                        fmt::join(verb.path, " "), flag, fmt::join(words, " "));
        }
    }
    return fmt::format("_sonde()\n{{\n"
                       "    local verb= offered= i=2 current=\"${{COMP_WORDS[COMP_CWORD]}}\"\n"
                       "    local before=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
                       "    COMPREPLY=()\n"
                       "    [ \"$COMP_CWORD\" -gt 1 ] && verb=\"${{COMP_WORDS[1]}}\"\n"
                       "    while [ \"$i\" -lt \"$COMP_CWORD\" ]; do\n"
                       "        case \"$verb ${{COMP_WORDS[i]}}\" in\n"
                       "        {}) verb=\"$verb ${{COMP_WORDS[i]}}\" ;;\n"
                       "        *) break ;;\n"
                       "        esac\n"
                       "        i=$((i+1))\n"
                       "    done\n"
                       "    case \"$before\" in\n"
                       "    {}) return ;;\n"
                       "    esac\n"
                       "    case \"$verb $before\" in\n"
                       "{}"
                       "    *)\n"
                       "        case \"$verb\" in\n"
                       "{}"
                       "        esac ;;\n"
                       "    esac\n"
                       "    COMPREPLY=($(compgen -W \"$offered\" -- \"$current\"))\n"
                       "}}\n"
                       "complete -o default -F _sonde sonde\n",
        fmt::join(below, "|"), fmt::join(files, "|"), values, cases);
}

std::string quoted_for_fish(std::string text)
{
    for (std::size_t at = 0; (at = text.find_first_of("'\\", at)) != std::string::npos; at += 2)
        text.insert(at, 1, '\\');
    return "'" + text + "'";
}

/// When fish is to offer what belongs to a verb: its words come right behind the program's name.
std::string condition(const std::vector<std::string>& path)
{
    if (path.empty())
        return "__fish_use_subcommand";
    std::string all;
    for (std::size_t i = 0; i < path.size(); ++i)
        all += fmt::format(
            "{}contains -- {} (commandline -opc)[{}]", i == 0 ? "" : "; and ", path[i], i + 2);
    return all;
}

std::string for_fish(const std::vector<Verb>& verbs)
{
    std::string out = "complete -c sonde -f\n";
    for (const auto& [path, app] : verbs) {
        const std::string here = quoted_for_fish(condition(path));
        const std::string next = quoted_for_fish(fmt::format(
            "{}; and test (count (commandline -opc)) -eq {}", condition(path), path.size() + 1));
        for (const CLI::App* below : app.get_subcommands(nullptr))
            out += fmt::format("complete -c sonde -n {} -a {} -d {}\n", next, below->get_name(),
                quoted_for_fish(below->get_description()));
        for (const CLI::Option* option : app.get_options()) {
            const auto words = values_of(*option);
            const bool is_file = option->get_type_name() == "FILE";
            std::string line = fmt::format(
                "complete -c sonde -n {}", option->get_positional() && !is_file ? next : here);
            for (const std::string& name : option->get_lnames())
                line += " -l " + name;
            for (const std::string& name : option->get_snames())
                line += " -s " + name;
            if (is_file)
                line += " -F";
            else if (!words.empty())
                line += fmt::format(" -a '{}'", fmt::join(words, " "));
            else if (option->get_positional())
                continue;
            if (!option->get_positional() && option->get_items_expected_max() > 0)
                line += is_file ? " -r" : " -x";
            out += fmt::format("{} -d {}\n", line, quoted_for_fish(option->get_description()));
        }
    }
    return out;
}

}  // namespace

Result<std::string> completion(const CLI::App& app, std::string_view shell)
{
    const auto verbs = verbs_of(app);
    if (shell == "bash")
        return for_bash(verbs);
    if (shell == "zsh")
        return "#compdef sonde\nautoload -U +X bashcompinit && bashcompinit\n" + for_bash(verbs);
    if (shell == "fish")
        return for_fish(verbs);
    return error("bad_value", "sonde completion: \"{}\" is none of bash, zsh, fish", shell);
}

}  // namespace sonde::cli
