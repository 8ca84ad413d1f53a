#include "agent/net/hosts_file.h"

#include "agent/base/text.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace sonde::net {

const std::vector<boost::asio::ip::address>& HostsFile::find(std::string_view name)
{
    static const std::vector<boost::asio::ip::address> none;
    refresh();
    if (name.ends_with('.'))
        name.remove_suffix(1);
    const auto found = names_.find(text::lower(name));
    return found == names_.end() ? none : found->second;
}

void HostsFile::refresh()
{
    std::error_code missing;
    const auto changed = std::filesystem::last_write_time(path_, missing);
    if (missing) {
        names_.clear();
        return;
    }
    if (changed == read_at_)
        return;
    read_at_ = changed;
    names_.clear();
    std::ifstream file{path_};
    for (std::string line; std::getline(file, line);) {
        std::istringstream words{line.substr(0, line.find('#'))};
        std::string word;
        if (!(words >> word))
            continue;
        boost::system::error_code bad;
        const auto address = boost::asio::ip::make_address(word, bad);
        while (!bad && words >> word)
            names_[text::lower(word)].push_back(address);
    }
}

ResolvConf read_resolv_conf(const std::string& path)
{
    ResolvConf conf;
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        std::istringstream words{line};
        std::string word;
        words >> word;
        conf.has_server = conf.has_server || word == "nameserver";
        if (word != "options")
            continue;
        while (words >> word) {
            const auto number = [&](std::string_view prefix, int& into, int most) {
                if (!word.starts_with(prefix))
                    return;
                int value = 0;
                const char* const first = word.data() + prefix.size();
                if (std::from_chars(first, word.data() + word.size(), value).ec == std::errc{})
                    into = std::clamp(value, 1, most);
            };
            number("timeout:", conf.timeout_seconds, 30);
            number("attempts:", conf.attempts, 5);
        }
    }
    return conf;
}

}  // namespace sonde::net
