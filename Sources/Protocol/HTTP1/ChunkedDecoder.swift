import Bytes
import HTTPSemantics

/// Finds the content in a chunked message body (RFC 9112 §7.1), strictly.
///
/// A chunk size has no sign, no white space, no more than 15 digits; chunk extensions are checked
/// against the grammar, white space in them too, bounded and dropped (§7.1.1); every line ends in CRLF. Octets may come in any
/// pieces, none is looked at twice, and nothing is stored.
///
///     size --CRLF--> content --all of it--> CRLF --> size
///     size 0 --CRLF--> trailers (left to TrailerSection, or passed over here) --> end
package struct ChunkedDecoder: Sendable {
    /// What the decoder found.
    package enum Event: Equatable, Sendable {
        /// Content, in these octets of the span.
        case content(Range<Int>)
        /// The last chunk's header has passed; the trailer section begins at `index`.
        case lastChunk
        /// The message has ended; `index` is after its last octet.
        case end
        /// All octets have been looked at and the message has not ended.
        case needsMore
    }

    /// Octets of the current chunk that are still to come; known between chunk header and chunk end.
    package private(set) var chunkBytesLeft = 0
    /// Whether a chunk extension has been seen: a relay that does not re-encode must then stop.
    package var sawExtension: Bool { extensionBytes > 0 }

    /// Whether the last chunk has passed, and nothing of the trailer section.
    package var isAtTrailers: Bool { state == .trailer && trailerBytes == 0 }

    private var state = State.sizeFirst
    private var headerBytes = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerLineBytes = 0

    private enum State: UInt8 {
        case sizeFirst, size
        case extensionFirst, extensionNameFirst, extensionName, afterName
        case extensionValueFirst, extensionValue, quoted, quotedPair, afterQuoted
        case headerLineFeed
        case content, contentReturn, contentLineFeed
        case trailer, trailerReturn
        case end
    }

    /// Makes a decoder at the front of a body.
    package init() {}

    /// Looks on.
    ///
    /// - Parameters:
    ///   - octets: Received octets.
    ///   - index: Where to look on in them; moved past what was taken.
    ///   - limits: Bounds; trailers that are passed over count as a field section.
    /// - Returns: What was found first.
    /// - Throws: The first violation; framing is lost.
    /// - Complexity: O(octets of framing); content is not looked at.
    package mutating func next(
        _ octets: Span<UInt8>,
        at index: inout Int,
        limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Event {
        while index < octets.count {
            switch state {
            case .content:
                let count = min(chunkBytesLeft, octets.count - index)
                let range = index..<index + count
                chunkBytesLeft -= count
                index += count
                if chunkBytesLeft == 0 { state = .contentReturn }
                return .content(range)
            case .contentReturn:
                guard octets[index] == carriageReturn else { throw .chunkEndMissing }
                state = .contentLineFeed
                index += 1
            case .contentLineFeed:
                guard octets[index] == lineFeed else { throw .chunkEndMissing }
                beginHeader()
                index += 1
            case .trailer, .trailerReturn:
                try passTrailer(octets[index], limits)
                index += 1
                if state == .end { return .end }
            case .end:
                return .end
            default:
                try header(octets[index])
                index += 1
                if state == .trailer { return .lastChunk }
            }
        }
        return state == .end ? .end : .needsMore
    }

    /// Ends the message, once the caller has read the trailer section itself after `lastChunk`.
    package mutating func finishTrailers() {
        precondition(state == .trailer && trailerBytes == 0, "no trailer section is expected")
        state = .end
    }

    // MARK: Chunk header

    private mutating func beginHeader() {
        state = .sizeFirst
        headerBytes = 0
        chunkBytesLeft = 0
    }

    @inline(__always)
    private mutating func header(_ octet: UInt8) throws(HTTP1Error) {
        headerBytes += 1
        guard headerBytes <= HTTP1Limits.chunkHeaderBytesMax else { throw .chunkHeaderTooLong }
        switch state {
        case .sizeFirst, .size:
            if let digit = hexadecimalDigit(octet) {
                // 15 digits are below 2^60.
                guard headerBytes <= 15 else { throw .chunkSizeOverflow }
                chunkBytesLeft = chunkBytesLeft << 4 | Int(digit)
                state = .size
            } else if state == .size, octet == carriageReturn {
                state = .headerLineFeed
            } else if state == .size, octet == semicolon || isBlank(octet) {
                try countExtension()
                state = octet == semicolon ? .extensionNameFirst : .extensionFirst
            } else {
                throw octet == lineFeed ? .bareLineFeed : .chunkSizeInvalid
            }
        case .headerLineFeed:
            guard octet == lineFeed else { throw .bareCarriageReturn }
            if chunkBytesLeft == 0 {
                state = .trailer
                trailerBytes = 0
                trailerLineBytes = 0
            } else {
                state = .content
            }
        default:
            try countExtension()
            try chunkExtension(octet)
        }
    }

    private mutating func countExtension() throws(HTTP1Error) {
        extensionBytes += 1
        guard extensionBytes <= HTTP1Limits.chunkExtensionBytesMax else {
            throw .chunkExtensionInvalid
        }
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
    ///
    /// White space stands before and after its separators alone: behind a size or a name that no separator
    /// follows it is none.
    private mutating func chunkExtension(_ octet: UInt8) throws(HTTP1Error) {
        if isBlank(octet), passBlank() { return }
        let isToken = OctetSet.token.contains(octet)
        switch (state, octet) {
        case (.extensionNameFirst, _) where isToken: state = .extensionName
        case (.extensionName, _) where isToken: break
        case (.extensionName, 0x3d), (.afterName, 0x3d): state = .extensionValueFirst
        case (.extensionValueFirst, _) where isToken: state = .extensionValue
        case (.extensionValueFirst, 0x22): state = .quoted
        case (.extensionValue, _) where isToken: break
        case (.extensionFirst, semicolon), (.extensionName, semicolon), (.afterName, semicolon),
            (.extensionValue, semicolon), (.afterQuoted, semicolon):
            state = .extensionNameFirst
        case (.extensionName, carriageReturn), (.extensionValue, carriageReturn),
            (.afterQuoted, carriageReturn):
            state = .headerLineFeed
        case (.quoted, 0x22): state = .afterQuoted
        case (.quoted, 0x5c): state = .quotedPair
        case (.quoted, _) where isText(octet): break
        case (.quotedPair, _) where isText(octet): state = .quoted
        default: throw octet == lineFeed ? .bareLineFeed : .chunkExtensionInvalid
        }
    }

    /// Passes over white space in a chunk extension; `false` where it is part of a value.
    private mutating func passBlank() -> Bool {
        switch state {
        case .extensionFirst, .extensionNameFirst, .afterName, .extensionValueFirst: break
        case .extensionName: state = .afterName
        case .extensionValue, .afterQuoted: state = .extensionFirst
        default: return false
        }
        return true
    }

    private func isText(_ octet: UInt8) -> Bool {
        octet >= space && octet != delete || octet == horizontalTab
    }

    // MARK: Trailers passed over

    /// Passes over one octet of a trailer section that nobody wants, with its bounds and line ends.
    private mutating func passTrailer(
        _ octet: UInt8,
        _ limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) {
        trailerBytes += 1
        guard trailerBytes <= limits.fieldSectionBytesMax else { throw .fieldSectionTooLarge }
        if state == .trailerReturn {
            guard octet == lineFeed else { throw .bareCarriageReturn }
            state = trailerLineBytes == 0 ? .end : .trailer
            trailerLineBytes = 0
            return
        }
        if octet == carriageReturn {
            state = .trailerReturn
            return
        }
        guard isText(octet) else { throw octet == lineFeed ? .bareLineFeed : .fieldValueInvalid }
        if trailerLineBytes == 0, isBlank(octet) { throw .lineFolding }
        trailerLineBytes += 1
    }
}

/// Writes the framing octets of chunks (RFC 9112 §7.1).
package enum ChunkedEncoder {
    /// Room that `writeHeader` needs: 16 digits and CRLF.
    package static let headerBytesMax = 18
    /// The last chunk and an empty trailer section.
    package static let end: StaticString = "0\r\n\r\n"
    /// The last chunk, before trailer fields.
    package static let lastChunk: StaticString = "0\r\n"
    /// What follows the octets of each chunk.
    package static let chunkEnd: StaticString = "\r\n"

    /// Writes `chunk-size CRLF`.
    ///
    /// - Parameters:
    ///   - contentBytes: Octets in the chunk; above 0, as 0 would end the message.
    ///   - target: At least `headerBytesMax` octets, written from 0.
    /// - Returns: Octets written.
    package static func writeHeader(
        contentBytes: Int,
        into target: inout MutableSpan<UInt8>
    ) -> Int {
        precondition(contentBytes > 0, "a chunk of \(contentBytes) octets")
        let end = target.writeHexadecimal(UInt64(contentBytes), at: 0)
        target[end] = carriageReturn
        target[end + 1] = lineFeed
        return end + 2
    }
}
