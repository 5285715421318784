// import_file.h - the bytes of an import: a file, or standard input, which is copied to a nameless
// file first because an import reads its input more than once.
//
// Throws admin::Refused, with the file's name and the reason, if it cannot be read, or if its first
// bytes say that it is UTF-16 or compressed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/descriptor.h"

namespace import_file {

class File {
public:
    // `path`: - for standard input.
    explicit File(const std::string& path);

    // Starts again from the first byte after a byte order mark.
    void rewind();
    // Returns the next byte, or kEnd.
    static constexpr int kEnd = -1;
    int get()
    {
        if (at_ < filled_ || fill()) return static_cast<unsigned char>(buffer_[at_++]);
        return kEnd;
    }
    // Returns the byte that get() will return, and stays before it.
    int peek()
    {
        const int byte = get();
        if (byte != kEnd) --at_;
        return byte;
    }
    // Appends the rest of the line to `line`, without its line end (LF or CRLF). Returns false at
    // the end of the file. `is_cut`: the file ends in this line. Of a line that is longer than
    // `most` bytes, the rest is left out.
    bool line(std::string& line, bool& is_cut, std::size_t most);

    double progress() const;
    const std::string& name() const { return name_; }  // for messages

private:
    bool fill();

    std::string name_;
    Descriptor descriptor_;
    std::vector<char> buffer_;
    std::size_t at_ = 0;
    std::size_t filled_ = 0;
    std::int64_t read_ = 0;  // bytes that were put into the buffer
    std::int64_t size_ = 0;
    std::size_t mark_ = 0;  // bytes of the byte order mark
};

}  // namespace import_file
