#pragma once

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

struct cmsghdr;

namespace sonde::net {

// What the kernel knows of times. A handler runs when the loop has come to it, on a busy machine
// milliseconds after the event; the kernel notes the event itself.

using SteadyTime = std::chrono::steady_clock::time_point;

/// The kernel stamps packets while any socket of the host wants it, and begins with a delay: it
/// never ceases from now on, so that the first packets of a run have their stamps.
void keep_stamping();

/// From now on the kernel notes when what this socket receives comes in. Stamps are in
/// CLOCK_REALTIME, which may be set at any moment: they serve as differences of now, and only if
/// they can be true.
void stamp_received(int socket);

/// The same moment on both clocks, to a few microseconds.
struct Now {
    SteadyTime steady;
    std::chrono::nanoseconds wall;  ///< CLOCK_REALTIME

    static Now read();
};

/// For how long a message had lain in its socket, if `part` of its control data is a stamp.
std::optional<std::chrono::nanoseconds> time_since_stamp(const cmsghdr& part, const Now& now);

/// What one call has received.
struct Received {
    std::size_t size = 0;                            ///< of a stream 0: its end
    boost::system::error_code error;                 ///< EAGAIN: nothing is there
    SteadyTime seen;                                 ///< after the call
    std::optional<std::chrono::nanoseconds> waited;  ///< in the socket, before; if the kernel told

    /// `waited` if it can be true of something that came after `since`, else zero.
    std::chrono::nanoseconds late(SteadyTime since) const;
    /// When it came in: never before `since`, never after `seen`.
    SteadyTime arrived(SteadyTime since) const { return seen - late(since); }
};

/// Receives what is there, without waiting. Of a stream, `waited` is that of the last bytes.
Received receive(int socket, std::span<char> into);

enum class Bytes { first, all };
/// As receive(), but leaves what there is where it is, and copies nothing. `waited` is that of the
/// first byte or of the last one of those there are.
Received peek(int socket, Bytes which);

/// How long the handshake of a TCP connection took on the wire, SYN to SYN-ACK, by the kernel. Ask
/// before anything is sent on it, while it is the kernel's only measurement. nullopt when the SYN
/// was repeated, or when the result cannot be true of something that took `measured` to be noticed.
std::optional<std::chrono::nanoseconds> handshake_time(
    int socket, std::chrono::nanoseconds measured);

/// For how long this thread could have run but had no core, since it began; zero when the kernel
/// does not tell (CONFIG_SCHED_INFO).
std::chrono::nanoseconds starved();
/// The same, as it was at most a tenth of a millisecond ago: asking costs as much as sending a
/// packet, and runs begin and end in crowds.
std::chrono::nanoseconds starved_lately();

/// When the news of a connection came in, told by whoever watches its socket, before they are read.
class Arrivals {
public:
    /// @param tls handshakes come first, and records that are no answer between them and the
    /// answer.
    void begin(bool tls);

    /// The socket has become readable: up to handled() all that is read came with this.
    void look(int socket);
    void handled();
    /// The last byte has been handled.
    void end();

    /// When the first byte of the answer came in, at the moment it is read: between `since` and
    /// now. From then on nothing more is sent, and what comes in delays nobody but the end.
    SteadyTime answered(SteadyTime since);

    /// The time for which we kept the peer waiting: news lay there that had to be replied to, or to
    /// be noticed at the end. In TLS, whose cryptography takes longer than a core may be ours, also
    /// when we had none in the midst of that.
    std::chrono::nanoseconds late() const;
    /// When the last byte came in, if there was one.
    std::optional<SteadyTime> ended() const { return ended_; }

private:
    bool in_handshake() const { return tls_ && !answered_; }
    void settle(int socket);

    bool tls_ = false;
    bool answered_ = false;
    bool current_ = false;  // what look() has seen is being handled
    SteadyTime began_;
    SteadyTime arrival_;                // of the first byte in plain text, in TLS of the last one
    std::chrono::nanoseconds last_{0};  // the newest bytes had waited
    std::chrono::nanoseconds starved_before_{0};  // starved(), when they were looked at
    std::chrono::nanoseconds settled_{0};
    std::uint32_t sent_ = 0;  // segments, when the newest came in
    std::optional<SteadyTime> ended_;
};

}  // namespace sonde::net
