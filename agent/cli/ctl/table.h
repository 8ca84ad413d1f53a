#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli::ctl {

/// Without control characters, which could steer a terminal, and well-formed.
std::string printable(std::string_view text);

/// Lines of aligned columns for people. Texts are cut only where a width is given.
class Table {
public:
    struct Column {
        std::string_view title;
        bool to_the_right = false;  ///< numbers
        bool may_shrink = false;    ///< to be cut where the width is short
    };
    explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}

    /// As many cells as there are columns; an empty one shows as "-".
    void add(std::vector<std::string> cells);

    /// @param width most columns of a line; 0: any number.
    std::string text(std::size_t width = 0) const;

private:
    std::vector<std::size_t> widths(std::size_t most) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// "name   value" lines, the values aligned.
class Sheet {
public:
    void add(std::string_view name, std::string_view value);
    std::string text() const;

private:
    std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace sonde::cli::ctl
