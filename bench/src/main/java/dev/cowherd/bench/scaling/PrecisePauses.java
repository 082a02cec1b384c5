package dev.cowherd.bench.scaling;

import dev.cowherd.storage.fiber.FiberLoop;
import dev.cowherd.storage.filter.Parker;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.atomic.LongAdder;

/**
 * Pauses that are as long as asked for, and know how long they really were. The kernel lets a sleeping thread's timer be 50 µs late
 * to save power, so that is switched off; and the thread sleeps in the kernel directly, for half of what a JVM's parking costs the
 * processor. A fiber's pause is a timeout of its ring, which is not late by design.
 */
final class PrecisePauses implements Parker {
    private static final int SET_TIMER_SLACK = 29;
    private static final int MONOTONIC = 1;
    private static final int INTERRUPTED = 4;
    private static final long NANOS = 1_000_000_000;

    private static final MethodHandle PRCTL = handle(
            "prctl",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle SLEEP = handle(
            "clock_nanosleep",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS));

    /** A thread's room for the time to sleep; having one, its timers are tight. */
    private static final ThreadLocal<MemorySegment> ROOM = ThreadLocal.withInitial(PrecisePauses::tightened);

    private final LongAdder pauses = new LongAdder();
    private final LongAdder nanosTaken = new LongAdder();

    private static MethodHandle handle(String name, FunctionDescriptor shape, Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().find(name).orElseThrow(), shape, options);
    }

    private static MemorySegment tightened() {
        try {
            if ((int) PRCTL.invokeExact(SET_TIMER_SLACK, 1L) != 0) {
                throw new IllegalStateException("the kernel keeps its timer slack");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("prctl", e);
        }
        return Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 2);
    }

    @Override
    public void park(long nanos) {
        long start = System.nanoTime();
        if (!FiberLoop.pause(nanos)) {
            sleep(nanos);
        }
        pauses.increment();
        nanosTaken.add(System.nanoTime() - start);
    }

    private static void sleep(long nanos) {
        MemorySegment left = ROOM.get();
        left.setAtIndex(ValueLayout.JAVA_LONG, 0, nanos / NANOS);
        left.setAtIndex(ValueLayout.JAVA_LONG, 1, nanos % NANOS);
        int result;
        try {
            do {
                result = (int) SLEEP.invokeExact(MONOTONIC, 0, left, left);
            } while (result == INTERRUPTED);
        } catch (Throwable e) {
            throw new IllegalStateException("clock_nanosleep", e);
        }
        if (result != 0) {
            throw new IllegalStateException("clock_nanosleep failed with " + result);
        }
    }

    /** Microseconds that a pause took on average, from its call to its return. */
    double meanMicros() {
        return nanosTaken.sum() / (1e3 * Math.max(1, pauses.sum()));
    }
}
