// How a convolution's products read the windows of an image: from the image itself, or from columns written out.
#pragma once

#include <algorithm>

#include "lists.hpp"
#include "scratch.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Copy an image (channels, height, width) into a larger one with zeros around it.
template <class T>
void copy_into(
    const T* image, Index channels, Index height, Index width, T* larger, Index larger_height, Index larger_width,
    Index top, Index left) {
    std::fill(larger, larger + channels * larger_height * larger_width, T(0));
    for (Index c = 0; c < channels; ++c)
        for (Index h = 0; h < height; ++h)
            std::copy_n(
                image + (c * height + h) * width, width, larger + (c * larger_height + h + top) * larger_width + left);
}

// The columns (K, positions) of one group of channels of a padded image: every window written out.
template <class T>
void windows_to_columns(const T* padded, Index channels, Index height, Index width, const Windows& at, T* columns) {
    for (Index c = 0; c < channels; ++c)
        for (Index i = 0; i < at.kernel_height; ++i)
            for (Index j = 0; j < at.kernel_width; ++j)
                for (Index p = 0; p < at.out_height; ++p) {
                    const T* line = padded + (c * height + p * at.stride_down + i) * width + j;
                    for (Index q = 0; q < at.out_width; ++q) *columns++ = line[q * at.stride_across];
                }
}

// Where the columns of an image are: with stride 1 they are the image itself, read from shifted positions, on rows as wide
// as the padded image (outputs beyond out_width are computed and dropped); otherwise they are written out.
struct Reading {
    Index height, width;  // of the padded image
    bool direct, padded;
    Index line;            // distance between two output rows
    Index size;            // from the first output to the last
    List<Index> offset;  // of the K numbers of a window, for one group

    Reading(const Windows& at, Index group_channels)
        : height(at.height + at.top + at.bottom),
          width(at.width + at.left + at.right),
          direct(at.stride_down == 1 && at.stride_across == 1),
          padded(at.top || at.bottom || at.left || at.right),
          line(direct ? width : at.out_width),
          size((at.out_height - 1) * line + at.out_width) {
        for (Index c = 0; c < group_channels; ++c)
            for (Index i = 0; i < at.kernel_height; ++i)
                for (Index j = 0; j < at.kernel_width; ++j)
                    offset.push_back(direct ? (c * height + i) * width + j : Index(offset.size()) * at.places());
    }
};

template <class T>
class Images {
public:
    Images(const Windows& at, Index groups)
        : at_(at),
          channels_(at.channels / groups),
          reading_(at, channels_),
          padded_(reading_.padded ? at.channels * reading_.height * reading_.width : 0),
          columns_(reading_.direct ? 0 : channels_ * at.area() * at.places()) {}

    void open(const T* image) {
        image_ = image;
        if (!reading_.padded) return;
        copy_into(
            image, at_.channels, at_.height, at_.width, padded_.data(), reading_.height, reading_.width, at_.top,
            at_.left);
        image_ = padded_.data();
    }

    // The base of a group's offsets.
    const T* group(Index g) {
        const T* channels = image_ + g * channels_ * reading_.height * reading_.width;
        if (reading_.direct) return channels;
        windows_to_columns(channels, channels_, reading_.height, reading_.width, at_, columns_.data());
        return columns_.data();
    }

    const Reading& reading() const { return reading_; }

private:
    const Windows& at_;
    Index channels_;
    Reading reading_;
    Scratch<T> padded_, columns_;
    const T* image_ = nullptr;
};

// Write rows (count, height, width) into flat (count, size), whose rows are `line` apart and otherwise zero.
template <class T>
void spread(const T* rows, Index count, Index height, Index width, T* flat, Index size, Index line) {
    for (Index f = 0; f < count; ++f)
        for (Index p = 0; p < height; ++p)
            std::copy_n(rows + (f * height + p) * width, width, flat + f * size + p * line);
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
