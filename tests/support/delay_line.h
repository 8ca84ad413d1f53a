#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <thread>
#include <vector>

namespace sonde::tests {

/// A line of known length between a client and servers of the same network namespace: IPv4 packets
/// to target() leave by a TUN device, wait for their time in a thread of this object, and come back
/// in by it, addressed to server(). Both ends are the real kernel: it connects, resets and answers
/// pings. Needs CAP_NET_ADMIN and a namespace made for it (PrivateNetwork, or `unshare --net`), in
/// which the device has 10.77.0.0/16.
///
/// The kernel's stamp tells when a packet set out, so that a thread which is woken late still sends
/// in time; the last 200 us are spent awake. Late is a packet only when the thread has no core.
class DelayLine {
public:
    /// What befalls packets of one direction. A fault hits each n-th of them, 0: none; packets are
    /// counted from 1.
    struct Way {
        std::chrono::microseconds delay{0};
        unsigned lost = 0;       ///< 1: a black hole
        unsigned doubled = 0;    ///< goes out twice
        unsigned overtaken = 0;  ///< goes out after the packet that follows it, not before
    };
    struct Path {
        Way there;
        Way back;
    };
    /// Before all others of its core, if permitted, or like any thread.
    enum class Priority { usual, first };

    explicit DelayLine(std::vector<Path> paths, Priority priority = Priority::usual);
    ~DelayLine();
    DelayLine(const DelayLine&) = delete;
    DelayLine& operator=(const DelayLine&) = delete;

    bool ready() const { return device_ >= 0; }  ///< false: not permitted

    /// The address to probe, at the far end of a path.
    static std::string target(std::size_t path = 0);
    /// What a server of that path listens on, if not on all addresses.
    static std::string server(std::size_t path = 0);

    /// By how many microseconds packets of a path were late, there and back, since the last call.
    struct Late {
        std::vector<double> there;
        std::vector<double> back;
    };
    Late take_late(std::size_t path);

    /// The start of a TCP dialogue as it was at the client's end: when its first bytes set out,
    /// when the last byte of the answer to them was there, when its next bytes set out. Of a
    /// handshake of TLS 1.3: ClientHello, what the server says, Finished.
    using Time = std::chrono::steady_clock::time_point;
    struct Exchange {
        Time asked;
        Time answered;
        Time asked_again;
    };
    /// Those of a path that came so far, the first of each connection, since the last call.
    std::vector<Exchange> take_exchanges(std::size_t path);

private:
    struct Packet {
        Time due;
        std::size_t way;  ///< twice the path; one more on the way back
        std::string bytes;
        std::uint64_t number = 0;  ///< of those with the same due time, the first goes first

        bool operator<(const Packet& other) const
        {
            return due != other.due ? due > other.due : number > other.number;
        }
    };
    /// What is known of a connection of TCP.
    struct Connection {
        std::optional<Time> asked;
        std::optional<Time> answered;
        bool past = false;  ///< its exchange is noted
    };
    struct State {
        Way way;
        unsigned long packets = 0;
        std::optional<Packet> held;  ///< until the next one has gone
        Time last_due;               ///< nobody else overtakes
        std::vector<double> late_us;
        std::map<std::uint16_t, Connection>
            connections;  ///< of the way there, by the client's port
        std::vector<Exchange> exchanges;
    };

    bool open();
    void forward();
    void take_in();
    void queue(std::string bytes, Time set_out);
    void wait_until(Time due, Packet packet);
    void send_due();
    void send(const Packet& packet);
    Time when_set_out(const std::string& bytes) const;
    void note_dialogue(std::size_t way, const std::string& bytes, Time when);

    std::vector<State> ways_;
    Priority priority_;
    int device_ = -1;
    int tap_ = -1;   ///< sees what leaves by the device, with the kernel's stamps
    int stop_ = -1;  ///< an eventfd
    std::priority_queue<Packet> waiting_;
    std::uint64_t next_number_ = 0;
    std::mutex notes_;  ///< guards what each State has noted
    std::thread thread_;
};

}  // namespace sonde::tests
