/// The handlers of a loop with their deadlines, found by a token that goes out of use with its handler.
struct HandlerTable {
    struct Place {
        var handler: (any EventHandler)?
        /// The moment at which `deadlinePassed` is due.
        var deadline = LoopInstant.never
        /// The wheel's tick that looks at this place next; `.max` when none does.
        var timerTick = UInt64.max
        /// Never 0; it moves on when the handler goes.
        var generation: UInt32 = 1
        /// Whether `resume` is due at the end of this tick.
        var isDeferred = false
    }

    var places: [Place] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    mutating func insert(_ handler: any EventHandler) -> UInt64 {
        let index: UInt32
        if let reused = free.popLast() {
            index = reused
        } else {
            precondition(places.count < UInt32.max, "more handlers than tokens")
            index = UInt32(places.count)
            places.append(Place())
        }
        count += 1
        places[Int(index)].handler = handler
        return UInt64(places[Int(index)].generation) << 32 | UInt64(index)
    }

    mutating func remove(_ token: UInt64) {
        guard let index = place(of: token) else { return }
        let generation = places[index].generation
        places[index] = Place(generation: generation == .max ? 1 : generation + 1)
        free.append(UInt32(index))
        count -= 1
    }

    /// The index of the place that `token` stands for, or `nil` when its handler has gone.
    func place(of token: UInt64) -> Int? {
        let index = Int(token & 0xFFFF_FFFF)
        guard index < places.count, places[index].generation == UInt32(token >> 32) else {
            return nil
        }
        return index
    }

    /// Lets all handlers go.
    mutating func removeAll() {
        for index in places.indices where places[index].handler != nil {
            remove(UInt64(places[index].generation) << 32 | UInt64(index))
        }
    }
}
