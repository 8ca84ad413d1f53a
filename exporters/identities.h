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
    std::string_view range(std::size_t first, std::size_t last) const
    {
        const std::size_t begin = first == 0 ? 0 : ends_[first - 1];
        const std::size_t end = last == 0 ? 0 : ends_[last - 1];
        return std::string_view{bytes_}.substr(begin, end - begin);
    }
    std::string_view all() const { return bytes_; }
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

    /// Of size(): behind the last one.
    std::size_t first_piece(std::size_t series) const
    {
        return series < merged_.size() ? merged_[series].first_piece : pieces_.size();
    }
    std::size_t own_begin(std::size_t series) const
    {
        return series < merged_.size() ? merged_[series].own_begin : own_.size();
    }

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
    std::size_t encoded_size(std::size_t series) const
    {
        return shape_->own_begin(series + 1) - shape_->own_begin(series) +
               shared_of(series).all().size();
    }
    /// Appends the labels of a series as fields of TimeSeries; to what, see wire.h.
    template <class Out>
    void encode(std::size_t series, Out& out) const
    {
        const SeriesShape& shape = *shape_;
        const EncodedLabels& shared = shared_of(series);
        const std::string_view own{shape.own_};
        std::size_t own_at = shape.own_begin(series);
        std::size_t shared_at = 0;
        const std::size_t end = shape.first_piece(series + 1);
        for (std::size_t i = shape.first_piece(series); i < end; ++i) {
            const SeriesShape::Piece& piece = shape.pieces_[i];
            out.append(own.substr(own_at, piece.own_end - own_at));
            out.append(shared.range(shared_at, piece.shared_end));
            own_at = piece.own_end;
            shared_at = piece.shared_end;
        }
    }
    /// The labels of a series, read back.
    LabelSet labels(std::size_t series) const;

private:
    const EncodedLabels& shared_of(std::size_t series) const
    {
        return shape_->merged_[series].info ? info_ : shared_;
    }

    std::shared_ptr<const SeriesShape> shape_;
    EncodedLabels shared_;
    EncodedLabels info_;
};

}  // namespace sonde::exporters
