package import SystemCalls

/// Something with a descriptor or a deadline that a loop calls: a connection, a listening socket.
///
/// Confined to the loop that it is registered with, which owns it from `register` to `unregister`.
package protocol EventHandler: AnyObject {
    /// Something became possible on the descriptor.
    func ready(_ readiness: Readiness)

    /// The deadline has passed; there is none any more.
    func deadlinePassed()

    /// The work that was put off by `EventLoop.resumeLater` is due.
    func resume()
}

extension EventHandler {
    package func ready(_ readiness: Readiness) {}

    package func deadlinePassed() {}

    package func resume() {}
}

/// A handler's place in a loop's table.
///
/// It goes out of use with `unregister`, and calls with it then do nothing.
package struct Registration: Hashable, Sendable {
    /// The place in the low 32 bits, its generation in the high ones; 0 is nowhere.
    let token: UInt64

    /// No place.
    package static let none = Registration(token: 0)
}

extension EventLoop {
    /// Takes a handler in without a descriptor: for deadlines and `resumeLater` alone.
    ///
    /// - Parameter handler: Owned by the loop from now on.
    /// - Returns: Its place.
    package func register(_ handler: any EventHandler) -> Registration {
        assertOnLoop()
        return Registration(token: handlers.insert(handler))
    }

    /// Takes a handler in, and its descriptor edge-triggered for reading and writing.
    ///
    /// - Parameters:
    ///   - handler: Owned by the loop from now on.
    ///   - descriptor: Stays open until after `unregister`.
    /// - Returns: Its place.
    /// - Throws: `SystemCallError` of epoll_ctl(2); the handler is not registered then.
    package func register(
        _ handler: any EventHandler,
        descriptor: Int32
    ) throws(SystemCallError) -> Registration {
        let registration = register(handler)
        do throws(SystemCallError) {
            try poller.add(descriptor, token: registration.token)
            return registration
        } catch {
            unregister(registration)
            throw error
        }
    }

    /// Takes a handler in, and its descriptor level-triggered for reading.
    ///
    /// - Parameters:
    ///   - handler: Owned by the loop from now on.
    ///   - descriptor: Stays open until after `unregister`.
    /// - Returns: Its place.
    /// - Throws: `SystemCallError` of epoll_ctl(2); the handler is not registered then.
    package func registerLevelTriggered(
        _ handler: any EventHandler,
        descriptor: Int32
    ) throws(SystemCallError) -> Registration {
        let registration = register(handler)
        do throws(SystemCallError) {
            try poller.addLevelTriggered(descriptor, token: registration.token)
            return registration
        } catch {
            unregister(registration)
            throw error
        }
    }

    /// Lets a handler go; events that are already on their way to it are dropped.
    ///
    /// - Parameter registration: Its place. Close the descriptor afterwards.
    package func unregister(_ registration: Registration) {
        assertOnLoop()
        handlers.remove(registration.token)
    }

    /// Lets a handler go, and has its descriptor watched no longer, which stays open.
    ///
    /// Closing a descriptor ends the watch only if no other descriptor, here or in another process, is left of what
    /// it stands for.
    ///
    /// - Parameters:
    ///   - registration: Its place.
    ///   - descriptor: What it was registered with.
    package func unregister(_ registration: Registration, descriptor: Int32) {
        guard handlers.place(of: registration.token) != nil else { return }
        poller.remove(descriptor)
        unregister(registration)
    }

    /// Puts another handler in the place of one, with its descriptor, its events from now on, and its deadline.
    ///
    /// - Parameters:
    ///   - registration: The place; it stays in use.
    ///   - handler: Owned by the loop from now on, in the place of the one that was there.
    package func replaceHandler(of registration: Registration, by handler: any EventHandler) {
        assertOnLoop()
        guard let place = handlers.place(of: registration.token) else { return }
        handlers.places[place].handler = handler
    }

    /// Watches a listening socket no longer until its handler's deadline, a moment from now: without descriptors, a
    /// socket that stays ready would keep the loop busy for nothing.
    ///
    /// - Parameters:
    ///   - registration: The handler's place, which goes out of use.
    ///   - handler: Calls `acceptAgain` when its deadline has passed.
    ///   - descriptor: The socket, which stays open.
    ///   - nanoseconds: How long the moment is.
    /// - Returns: The handler's new place.
    package func pauseAccepting(
        _ registration: Registration,
        _ handler: any EventHandler,
        descriptor: Int32,
        nanoseconds: UInt64
    ) -> Registration {
        unregister(registration, descriptor: descriptor)
        let paused = register(handler)
        setDeadline(of: paused, at: now.advanced(by: nanoseconds))
        return paused
    }

    /// Watches a listening socket again that `pauseAccepting` has let go, or pauses once more where that cannot be.
    ///
    /// - Parameters:
    ///   - registration: The handler's place, which goes out of use.
    ///   - handler: Whose socket it is.
    ///   - descriptor: The socket.
    ///   - nanoseconds: How long a pause is.
    /// - Returns: The handler's new place.
    package func acceptAgain(
        _ registration: Registration,
        _ handler: any EventHandler,
        descriptor: Int32,
        nanoseconds: UInt64
    ) -> Registration {
        unregister(registration)
        do throws(SystemCallError) {
            return try registerLevelTriggered(handler, descriptor: descriptor)
        } catch {
            let paused = register(handler)
            setDeadline(of: paused, at: now.advanced(by: nanoseconds))
            return paused
        }
    }

    /// Sets the moment at which `deadlinePassed` is due, in place of the one set before.
    ///
    /// A later moment than the last is one store: the wheel finds out when it looks.
    ///
    /// - Parameters:
    ///   - registration: Whose deadline.
    ///   - instant: The moment; `.never` takes the deadline back.
    package func setDeadline(of registration: Registration, at instant: LoopInstant) {
        guard let place = handlers.place(of: registration.token) else { return }
        handlers.places[place].deadline = instant
        guard instant != .never else { return }
        let tick = LoopTimers.tick(of: instant)
        if tick < handlers.places[place].timerTick { look(at: registration.token, place, tick) }
    }

    /// Calls `resume` of a handler at the end of this tick, once.
    ///
    /// - Parameter registration: Whose.
    package func resumeLater(_ registration: Registration) {
        guard let place = handlers.place(of: registration.token),
            !handlers.places[place].isDeferred
        else { return }
        handlers.places[place].isDeferred = true
        deferred.append(registration.token)
    }

    /// Runs what was put off before this call; what it puts off itself waits for the next tick.
    func runDeferred() {
        guard !deferred.isEmpty else { return }
        swap(&deferred, &deferredNow)
        for token in deferredNow {
            guard let place = handlers.place(of: token) else { continue }
            handlers.places[place].isDeferred = false
            handlers.places[place].handler?.resume()
        }
        deferredNow.removeAll(keepingCapacity: true)
    }

    /// Calls the handlers whose deadlines have passed, and puts those back whose deadline has moved.
    func runTimers() {
        let last = LoopTimers.tick(before: now)
        while let token = timers.next(through: last) {
            // A sooner entry has replaced this one, or the handler is gone.
            guard let place = handlers.place(of: token), handlers.places[place].timerTick <= last
            else { continue }
            handlers.places[place].timerTick = .max
            let deadline = handlers.places[place].deadline
            if deadline <= now {
                handlers.places[place].deadline = .never
                handlers.places[place].handler?.deadlinePassed()
            } else if deadline != .never {
                look(at: token, place, LoopTimers.tick(of: deadline))
            }
        }
    }

    private func look(at token: UInt64, _ place: Int, _ tick: UInt64) {
        handlers.places[place].timerTick = timers.insert(token, tick: tick)
    }
}
