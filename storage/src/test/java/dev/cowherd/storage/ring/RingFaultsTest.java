package dev.cowherd.storage.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A kernel that interrupts, is out of memory, takes half of what it is offered, or is older: nothing is lost. */
@Timeout(60)
class RingFaultsTest {
    @BeforeEach
    void ringsAreToBeHad() {
        assumeTrue(Ring.probe().isEmpty());
    }

    /** Every other time that requests are offered, the answer is an error. */
    private static final class Refusing extends PassingRingCalls {
        private final int errno;
        private int offered;

        Refusing(int errno) {
            this.errno = errno;
        }

        @Override
        public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
            return toSubmit > 0 && offered++ % 2 == 1
                    ? -errno
                    : super.enter(ring, toSubmit, minComplete, flags, argument);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 11, 16})
    void aKernelThatRefusesForNowIsAskedAgain(int errno) throws IOException {
        try (Ring ring = Ring.open(new RingOptions(8, 16, 0, 0), new Refusing(errno))) {
            thousandNopsAllComplete(ring);
        }
    }

    private static void thousandNopsAllComplete(Ring ring) throws IOException {
        Seen seen = new Seen();
        for (int i = 0; i < 1000; i++) {
            ring.nop(i);
            if (i % 100 == 99) {
                ring.submitAndWait(i % 50, Seen.LIMIT, seen);
            }
        }
        ring.submitAndWait(1000, Seen.LIMIT, seen);
        assertThat(seen.results).hasSize(1000);
        assertThat(seen.results.values()).allMatch(all -> all.equals(List.of(0)));
        assertThat(ring.inFlight()).isZero();
    }

    @Test
    void aKernelThatTakesOneRequestAtATimeGetsThemAll() throws IOException {
        PassingRingCalls slow = new PassingRingCalls() {
            @Override
            public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
                return super.enter(ring, Math.min(1, toSubmit), toSubmit > 1 ? 0 : minComplete, flags, argument);
            }
        };
        try (Ring ring = Ring.open(new RingOptions(8, 16, 0, 0), slow)) {
            thousandNopsAllComplete(ring);
        }
    }

    /** What kernels do that keep overflown completions: they take no request while there are completions to be taken. */
    @Test
    void aKernelThatWantsItsCompletionsTakenFirstGetsThemTaken() throws IOException {
        try (Ring ring = Ring.open(new RingOptions(4, 8, 0, 0), new Insisting())) {
            thousandNopsAllComplete(ring);
        }
    }

    private static final class Insisting extends PassingRingCalls {
        private MemorySegment params = MemorySegment.NULL;
        private MemorySegment rings = MemorySegment.NULL;

        @Override
        public long setup(int entries, MemorySegment params) {
            this.params = params;
            return super.setup(entries, params);
        }

        @Override
        public long map(int ring, long bytes, long part) {
            long address = super.map(ring, bytes, part);
            if (part == Uapi.OFF_RINGS) {
                rings = MemorySegment.ofAddress(address).reinterpret(bytes);
            }
            return address;
        }

        @Override
        public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
            boolean untaken = word(80) != word(84);
            return toSubmit > 0 && untaken
                    ? -Errno.EBUSY.number()
                    : super.enter(ring, toSubmit, minComplete, flags, argument);
        }

        /** A word of the ring, at the place that the kernel has put into its parameters. */
        private int word(long parameter) {
            return rings.get(ValueLayout.JAVA_INT, params.get(ValueLayout.JAVA_INT, parameter));
        }
    }

    @Test
    void aCompletionOfARequestThatIsNotInFlightIsAFailedInvariant() {
        InFlight inFlight = new InFlight();
        long request = inFlight.begin(7, null, null);
        assertThat(inFlight.token(inFlight.slot(request))).isEqualTo(7);
        inFlight.end(inFlight.slot(request));
        assertThatThrownBy(() -> inFlight.slot(request)).isInstanceOf(IllegalStateException.class);
        assertThat(inFlight.begin(8, null, null)).isNotEqualTo(request);
        assertThatThrownBy(() -> inFlight.slot(request)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> inFlight.slot(1L << 20)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aKernelThatNeverHasMemoryFailsTheTurnWithItsNumber() throws IOException {
        boolean[] full = new boolean[1];
        PassingRingCalls refusing = new PassingRingCalls() {
            @Override
            public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
                return full[0] ? -Errno.EAGAIN.number() : super.enter(ring, toSubmit, minComplete, flags, argument);
            }
        };
        Ring ring = Ring.open(RingOptions.ofEntries(8), refusing);
        ring.nop(1);
        full[0] = true;
        assertThatThrownBy(() -> ring.submitAndWait(1, new Seen()))
                .isInstanceOfSatisfying(
                        StorageException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EAGAIN.number()));
        full[0] = false;
        Seen seen = new Seen();
        ring.submitAndWait(1, Seen.LIMIT, seen);
        assertThat(seen.of(1)).isZero();
        ring.close();
    }

    @Test
    void aLostCompletionIsAnErrorNotAWait() throws IOException {
        boolean[] lost = new boolean[1];
        PassingRingCalls losing = new PassingRingCalls() {
            @Override
            public long enter(int ring, int toSubmit, int minComplete, int flags, MemorySegment argument) {
                return lost[0] ? -Errno.EBADR.number() : super.enter(ring, toSubmit, minComplete, flags, argument);
            }
        };
        try (Ring ring = Ring.open(RingOptions.ofEntries(8), losing)) {
            ring.nop(1);
            lost[0] = true;
            assertThatThrownBy(() -> ring.submitAndWait(1, new Seen())).hasMessageContaining("EBADR");
            lost[0] = false;
        }
    }

    /** What older kernels answer to flags that they do not know. */
    @ParameterizedTest
    @ValueSource(
            ints = {
                0,
                Uapi.SETUP_NO_SQARRAY,
                Uapi.SETUP_DEFER_TASKRUN,
                Uapi.SETUP_DEFER_TASKRUN | Uapi.SETUP_COOP_TASKRUN
            })
    void olderKernelsGetFewerFlagsAndAllWorks(int unknown) throws IOException {
        int[] agreed = new int[1];
        PassingRingCalls older = new PassingRingCalls() {
            @Override
            public long setup(int entries, MemorySegment params) {
                int flags = params.get(ValueLayout.JAVA_INT, 8);
                agreed[0] = flags;
                return (flags & unknown) != 0 ? -Errno.EINVAL.number() : super.setup(entries, params);
            }
        };
        try (Ring ring = Ring.open(new RingOptions(8, 16, 4, 0), older);
                HostPipes.Pair pipe = HostPipes.pipe();
                Arena arena = Arena.ofConfined()) {
            assertThat(agreed[0] & unknown).isZero();
            thousandNopsAllComplete(ring);
            Seen seen = new Seen();
            RingDescriptor end = ring.files().register(pipe.first());
            new FileRequests(ring).read(end, 0, arena.allocate(100), 1);
            assertThat(ring.submitAndWait(0, seen)).isZero();
            HostPipes.write(pipe.second(), 60, 1);
            ring.submitAndWait(1, Seen.LIMIT, seen);
            assertThat(seen.of(1)).isEqualTo(60);
            new FileRequests(ring).read(end, 0, arena.allocate(100), 2);
            ring.close(seen);
            assertThat(seen.of(2)).isEqualTo(-Errno.ECANCELED.number());
        }
    }
}
