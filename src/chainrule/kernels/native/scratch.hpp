// Scratch memory for the time of a kernel.
#pragma once

#include "memory.hpp"
#include "table.hpp"

namespace chainrule {

// Work below this many multiply-adds is done by the caller alone: waking others takes a few microseconds.
constexpr Index kWorthIt = 100000;

template <class T>
class Scratch {
public:
    explicit Scratch(Index size) : data_(static_cast<T*>(take_scratch(static_cast<std::size_t>(size) * sizeof(T)))) {}
    ~Scratch() { give_scratch(data_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return data_; }
    T& operator[](Index i) { return data_[i]; }

private:
    T* data_;
};

}  // namespace chainrule
