extension Exchange {
    /// Where an exchange stands.
    enum Phase: UInt8 {
        /// It serves no request.
        case idle
        /// The request's head is incomplete.
        case receiving
        /// A connection to the endpoint is being made.
        case connecting
        /// The request is on its way, or the response is awaited.
        case forwarding
        /// The final response's head is in the buffer or with the client.
        case delivering
        /// The protocol was switched: octets go both ways as they are.
        case tunnelling

        /// Whether octets of a final response, or of a tunnel, are on their way to the client.
        var isRelaying: Bool { self == .delivering || self == .tunnelling }
    }
}
