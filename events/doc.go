// Package events lets anybody see what the elections of a node do, without the elections ever waiting for anybody.
//
// A [Transition] is one thing that happened: a change of state, a leader seen from afar, work that overran its
// limit. A [Hub] takes them from the one goroutine that drives a node and gives them to any number of subscribers,
// each of whom reads a [Subscription] as a channel, one by one, or in a range loop.
//
// Events inform; they protect nothing. They come later than what they tell of, by as long as it takes to reach all
// subscribers, and a slow subscriber hears of the past. Whoever acts as a leader goes by the context that ends with
// the lease, and whoever guards a resource goes by the term.
//
// # What is promised
//
// Let the events published to a hub be e(1), e(2), ... in the order of the calls of Publish, numbered by Seq. Of a
// subscription to a key let m(1), m(2), ... be those of them that have the key; of a subscription to all keys, all.
// Subscribe fixes a number H: the state after event H was there to be seen before Subscribe returned, and every
// event after H is published after Subscribe was called.
//
//  1. Snapshot. First come events marked Snapshot, at least one: the state of every election asked for that had its
//     newest event at or before H. None is lost. Then come events after H. An election that moved while Subscribe
//     was at it may be missing in the snapshot of all keys; its next event, which comes through the ring, carries
//     its whole state. If there is no such election, the snapshot is one follower without a leader, with the key
//     that was asked for and the Seq H.
//  2. Order. Seq rises strictly from one event to the next, so any two subscriptions see any two events in the same
//     order. Only within the first snapshot may several events have the same Seq, which is zero: elections that
//     have had no event, in the order of their keys.
//  3. Loss is told. If a subscription is given m(i) and next m(j), Missed of the latter is j-i-1. Whatever the
//     policy drops, the newest event of each key (Latest) or of all (DropOldest) is not dropped; Disconnect drops
//     nothing and ends.
//  4. Publish never waits, takes no lock of the hub or of a subscriber, and calls no code but the hub's.
//  5. End. A subscription ends when its context ends, when it or the hub is closed, or when Disconnect ends it. If
//     its own side ended it, what waited is discarded. If the hub was closed, or the policy ended it, what waits is
//     delivered before the end: so the last event of a node that stops precedes the end of the sequence.
//  6. Nothing remains. A hub without subscribers has no goroutine, one with any number of them has one, and each
//     subscription whose channel was asked for has one more, until its end is delivered or it is closed.
//
// Less formally: you learn how things are, then everything that happens, in the order in which it happened; if you
// are too slow you are told how much you missed, and you still learn how things ended up; and nobody else notices.
//
// # When the hub itself is outrun
//
// The ring holds a fixed number of events. If the publisher fills it faster than the one relay goroutine can hand
// them out, events are lost to everyone at once. The relay then gives up what it cannot save, reads the present
// states again, and delivers, marked Snapshot and with Missed set, those that changed meanwhile; so the newest
// state of every election still arrives. For a subscription to all keys Missed stays exact. For a subscription to
// one key nobody knows any more how many of the lost events were of that key: if its state has not changed nothing
// was lost and nothing is delivered, otherwise Missed is an upper bound. Disconnect ends where a loss cannot be
// ruled out.
//
// # Duties of subscribers
//
// Read until the end, or close, or let the context end. A subscriber that does none of this costs what waits for
// it, and nothing else: it holds up neither the relay nor another subscriber.
//
// # How it works
//
// The publisher stores a pointer into a ring and counts up; if the relay sleeps it wakes it through a channel that
// never blocks. The relay takes each event to the queues of the subscriptions that want it. A queue has a lock,
// which its reader and the relay share, and which the publisher never sees.
//
// There is no gap between the snapshot and the ring because the publisher makes the new state visible, then raises
// the head, then looks whether there is a relay, while a subscriber first sets the relay, then reads the head, then
// reads the states. Whatever was raised before the subscriber's look is in the states; whatever comes later finds
// the relay. For example: event 7 is published while a subscription begins. If the subscriber reads head 6, the
// publisher had not raised it yet, so it finds the relay and 7 comes through the ring; if the states show 7
// already, that state is left out of the snapshot. If the subscriber reads head 7, the states show 7, and 7 is not
// delivered again should it be in the ring.
//
// # Rejected
//
// A send to each subscriber by the publisher, blocking or not: with 10 000 subscribers the actor stands still for
// 20 ms and more, and a lease may run out meanwhile. Closing a channel to wake all: the same, since the wake-ups
// are paid by whoever closes. A mutex around the ring: a reader that is descheduled while it holds it stops the
// publisher. An unbounded queue for each subscriber: one forgotten subscriber takes all memory. A policy that
// blocks: one forgotten subscriber stops the node. One conflated value for all keys: with many elections it tells
// of one at random. Callbacks: they run the subscriber's code, with its locks and its panics, inside the publisher.
package events
