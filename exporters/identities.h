#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::exporters {

struct Label {
    std::string name;
    std::string value;

    bool operator==(const Label&) const = default;
    auto operator<=>(const Label&) const = default;
};
using LabelSet = std::vector<Label>;  ///< sorted by name, no name twice (remote write 1.0)

/// A label set as fields of remote write's TimeSeries, one label after the other.
class EncodedLabels {
public:
    EncodedLabels() = default;
    explicit EncodedLabels(const LabelSet& labels);

    /// The bytes of labels `first` to before `last`.
    std::string_view range(std::size_t first, std::size_t last) const;
    std::size_t size() const { return ends_.size(); }

    bool operator==(const EncodedLabels&) const = default;

private:
    std::string bytes_;
    std::vector<std::uint32_t> ends_;
};

/// Names and own labels of the series that a run has, and where among the labels that all its
/// series share they go. Checks of one kind that measure the same have one between them: a fleet
/// would otherwise hold every series' labels once for each check.
class SeriesShape {
public:
    struct Series {
        LabelSet own;       ///< `__name__` and what tells the series apart
        bool info = false;  ///< has the other set of shared labels, that of sm_check_info
    };

    /// `shared` and `info` are the sorted names of the shared labels. Where a series' own label has
    /// such a name, the shared one counts.
    SeriesShape(std::vector<Series> series, const std::vector<std::string>& shared,
        const std::vector<std::string>& info);

    std::size_t size() const { return merged_.size(); }

private:
    friend class Identities;

    std::size_t first_piece(std::size_t series) const;  ///< of size(): behind the last one
    std::size_t own_begin(std::size_t series) const;

    /// Own bytes, then shared labels up to a place; and again.
    struct Piece {
        std::uint32_t own_end;
        std::uint32_t shared_end;
    };
    struct Merged {
        std::uint32_t first_piece;
        std::uint32_t own_begin;
        bool info;
    };

    std::string own_;
    std::vector<Piece> pieces_;
    std::vector<Merged> merged_;
};

/// The series of a check without their samples.
class Identities {
public:
    Identities(std::shared_ptr<const SeriesShape> shape, EncodedLabels shared, EncodedLabels info)
        : shape_{std::move(shape)}, shared_{std::move(shared)}, info_{std::move(info)}
    {}
    /// Series that share nothing.
    explicit Identities(const std::vector<LabelSet>& series);

    std::size_t size() const { return shape_->size(); }
    /// How many bytes encode() appends.
    std::size_t encoded_size(std::size_t series) const;
    /// Appends the labels of a series as fields of TimeSeries.
    void encode(std::size_t series, std::string& out) const;
    /// The labels of a series, read back.
    LabelSet labels(std::size_t series) const;

private:
    const EncodedLabels& shared_of(std::size_t series) const;

    std::shared_ptr<const SeriesShape> shape_;
    EncodedLabels shared_;
    EncodedLabels info_;
};

}  // namespace sonde::exporters
