#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace sonde::bench {

/// The lines of a file. @throws runtime_error when there are none: run.sh has written some.
inline std::vector<std::string> lines_of(const std::string& file)
{
    std::ifstream in{file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    if (lines.empty())
        throw std::runtime_error{file + " is empty"};
    return lines;
}

}  // namespace sonde::bench
