#include "agent/cli/ctl/table.h"

#include "agent/base/text.h"

#include <algorithm>

namespace sonde::cli::ctl {
namespace {

constexpr std::size_t least_cut = 8;  // a column shrinks no further
constexpr std::string_view gap = "  ";
constexpr std::string_view ellipsis = "…";

bool begins_character(char c)
{
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
}

std::size_t length(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string cut(const std::string& text, std::size_t width)
{
    if (length(text) <= width)
        return text;
    std::string out;
    std::size_t characters = 0;
    for (const char c : text) {
        characters += begins_character(c) ? 1 : 0;
        if (characters == width)
            break;
        out += c;
    }
    return out.append(ellipsis);
}

std::string padded(const std::string& text, std::size_t width, bool to_the_right)
{
    const std::string blanks(width - std::min(width, length(text)), ' ');
    return to_the_right ? blanks + text : text + blanks;
}

void end_line(std::string& out)
{
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
}

}  // namespace

std::string printable(std::string_view text)
{
    std::string out = text::repair_utf8(text);
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    // U+0080 to U+009F steer terminals, too: two bytes, the first of which is 0xc2.
    for (std::size_t at = 0; (at = out.find('\xc2', at)) != std::string::npos; ++at)
        if (static_cast<unsigned char>(out[at + 1]) < 0xa0)
            out.replace(at, 2, " ");
    return out;
}

void Table::add(std::vector<std::string> cells)
{
    for (std::string& cell : cells)
        cell = cell.empty() ? "-" : printable(cell);
    rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t most) const
{
    std::vector<std::size_t> widths;
    std::size_t whole = gap.size() * (columns_.size() - 1);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = columns_[i].title.size();
        for (const auto& row : rows_)
            width = std::max(width, length(row[i]));
        widths.push_back(width);
        whole += width;
    }
    while (most != 0 && whole > most) {  // the widest of those that may gives a column
        std::size_t* widest = nullptr;
        for (std::size_t i = 0; i < columns_.size(); ++i)
            if (columns_[i].may_shrink && widths[i] > least_cut &&
                (widest == nullptr || widths[i] > *widest))
                widest = &widths[i];
        if (widest == nullptr)
            break;
        --*widest;
        --whole;
    }
    return widths;
}

std::string Table::text(std::size_t width) const
{
    const auto widths = this->widths(width);
    std::string out;
    for (std::size_t i = 0; i < columns_.size(); ++i)
        out.append(i == 0 ? "" : gap)
            .append(padded(std::string{columns_[i].title}, widths[i], columns_[i].to_the_right));
    end_line(out);
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < columns_.size(); ++i)
            out.append(i == 0 ? "" : gap)
                .append(padded(cut(row[i], widths[i]), widths[i], columns_[i].to_the_right));
        end_line(out);
    }
    return out;
}

void Sheet::add(std::string_view name, std::string_view value)
{
    lines_.emplace_back(printable(name), value.empty() ? "-" : printable(value));
}

std::string Sheet::text() const
{
    std::size_t width = 0;
    for (const auto& [name, value] : lines_)
        width = std::max(width, length(name));
    std::string out;
    for (const auto& [name, value] : lines_)
        out.append(padded(name, width, false)).append(gap).append(value).append("\n");
    return out;
}

}  // namespace sonde::cli::ctl
