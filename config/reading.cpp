#include "config/reading.h"

#include "agent/base/text.h"

#include <yaml-cpp/eventhandler.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace sonde::config {
namespace {

constexpr std::string_view name_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// NAME of the `${NAME}` at the start of `text`; empty when there is none.
std::string_view reference(std::string_view text)
{
    const auto end = text.starts_with("${") ? text.find('}') : std::string_view::npos;
    if (end == std::string_view::npos)
        return {};
    const auto name = text.substr(2, end - 2);
    return name.find_first_not_of(name_letters) == std::string_view::npos ? name : "";
}

std::size_t line_of_bad_byte(std::string_view bytes)
{
    std::size_t line = 1;
    for (const auto text : text::split(bytes, '\n')) {
        if (!text::is_utf8(text))
            return line;
        ++line;
    }
    return line;
}

/// The lines in which the documents of a text begin.
class Documents : public YAML::EventHandler {
public:
    /// Reads no more of them than needed: of text such as ", a" yaml-cpp makes empty documents
    /// without end.
    Documents(const std::string& text, std::size_t most)
    {
        std::istringstream stream{text};
        YAML::Parser parser{stream};
        while (lines_.size() < most && parser.HandleNextDocument(*this))
            continue;
    }

    const std::vector<int>& lines() const { return lines_; }

private:
    using Mark = YAML::Mark;
    using Anchor = YAML::anchor_t;
    using Style = YAML::EmitterStyle::value;

    void OnDocumentStart(const Mark&) override { first_ = true; }
    void OnDocumentEnd() override {}
    void OnNull(const Mark& mark, Anchor) override { begin(mark); }
    void OnAlias(const Mark& mark, Anchor) override { begin(mark); }
    void OnScalar(const Mark& mark, const std::string&, Anchor, const std::string&) override
    {
        begin(mark);
    }
    void OnSequenceStart(const Mark& mark, const std::string&, Anchor, Style) override
    {
        begin(mark);
    }
    void OnSequenceEnd() override {}
    void OnMapStart(const Mark& mark, const std::string&, Anchor, Style) override { begin(mark); }
    void OnMapEnd() override {}

    void begin(const Mark& mark)
    {
        if (std::exchange(first_, false))
            lines_.push_back(mark.line + 1);
    }

    std::vector<int> lines_;
    bool first_ = false;
};

}  // namespace

bool is_reference(std::string_view text)
{
    const auto name = reference(text);
    return !name.empty() && text.size() == name.size() + std::string_view{"${}"}.size();
}

Result<std::string> read_whole(const std::string& path)
{
    std::error_code unknown;
    if (std::filesystem::is_directory(path, unknown))
        return error("bad_value", "{}: is a directory", path);
    errno = 0;
    std::ifstream file{path, std::ios::binary};
    std::ostringstream content;
    if (file && file.peek() == std::ifstream::traits_type::eof() && !file.bad())
        return std::string{};
    if (!file || !(content << file.rdbuf()))
        return error("bad_value", "{}: {}", path, std::strerror(errno == 0 ? EIO : errno));
    return std::move(content).str();
}

std::string Reading::place(const YAML::Node& at, std::string_view path, std::string_view what) const
{
    std::string where = file;
    if (at && at.Mark().line >= 0)
        where += fmt::format(":{}", at.Mark().line + 1);
    return path.empty() ? fmt::format("{}: {}", where, what)
                        : fmt::format("{}: {}: {}", where, path, what);
}

void Reading::problem(const YAML::Node& at, std::string_view path, std::string_view what)
{
    problems.push_back(place(at, path, what));
}

void Reading::warning(const YAML::Node& at, std::string_view path, std::string_view what)
{
    warnings.push_back(place(at, path, what));
}

std::optional<std::string> Reading::variable(const std::string& name) const
{
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional{found->second};
}

Result<std::string> Reading::interpolate(std::string_view text) const
{
    std::string out;
    while (!text.empty()) {
        if (text.starts_with("$${")) {
            out += "${";
            text.remove_prefix(3);
            continue;
        }
        const auto name = reference(text);
        if (name.empty()) {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        const auto value = variable(std::string{name});
        if (!value)
            return error("bad_value",
                "the environment variable {0} is not set; $${{{0}}} stands for the text itself",
                name);
        out += *value;
        text.remove_prefix(name.size() + std::string_view{"${}"}.size());
    }
    return out;
}

std::optional<YAML::Node> Reading::load(std::string* read)
{
    const auto text = read_whole(file);
    if (!text) {
        problems.push_back(text.error().message);
        return std::nullopt;
    }
    if (read)
        *read = *text;
    if (!text::is_utf8(*text)) {
        problems.push_back(fmt::format(
            "{}:{}: is not UTF-8: save the file in that encoding", file, line_of_bad_byte(*text)));
        return std::nullopt;
    }
    try {
        const Documents documents{*text, 2};
        if (documents.lines().size() > 1) {
            problems.push_back(fmt::format(
                "{}:{}: is a second document: a file holds one", file, documents.lines()[1]));
            return std::nullopt;
        }
        return YAML::Load(*text);
    } catch (const YAML::Exception& broken) {
        problems.push_back(
            fmt::format("{}:{}: is no YAML: {}", file, broken.mark.line + 1, broken.msg));
        return std::nullopt;
    }
}

}  // namespace sonde::config
