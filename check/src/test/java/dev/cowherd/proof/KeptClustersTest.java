package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.Request;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.storage.Storage;
import dev.cowherd.storage.filter.Operation;
import dev.cowherd.storage.filter.RecordStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clusters that become zeros and keep their place on the host, while a request from before is on its way to that place and another one
 * writes the cluster anew: what guests see is what some order of the requests gives.
 */
@EachEngine
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class KeptClustersTest {
    private static final byte OLD = 1;
    private static final byte LATE = 2;
    private static final byte NEW = 3;

    /** What is zeroed and written. */
    enum Part {
        CLUSTER(12, 4096),
        ALL_SUBCLUSTERS(16, 65536),
        A_SUBCLUSTER(16, 2048);

        private final int clusterBits;
        private final int bytes;

        Part(int clusterBits, int bytes) {
            this.clusterBits = clusterBits;
            this.bytes = bytes;
        }

        private Shape shape() {
            Shape plain = Shape.plain(clusterBits);
            return this == CLUSTER ? plain : plain.withExtended();
        }

        private long offset() {
            return (3L << clusterBits) + 4L * bytes % (1L << clusterBits);
        }

        private MemorySegment filled(byte value) {
            return Arena.ofAuto().allocate(bytes, 4096).fill(value);
        }
    }

    private final Engine engine;
    private final HeldStorage.Holds holds = new HeldStorage.Holds();
    private final List<RecordStorage> records = new ArrayList<>();
    private final List<AutoCloseable> open = new ArrayList<>();

    KeptClustersTest(Engine engine) {
        this.engine = engine;
    }

    @AfterEach
    void end() throws Exception {
        holds.end();
        for (AutoCloseable one : open.reversed()) {
            one.close();
        }
    }

    private Guest guestWithOldBytes(Part part) throws IOException {
        Disk disk = Rig.of(part.shape()).open(DiskOptions.defaults().withWritable(true), this::watched);
        open.add(disk);
        Guest guest = Guest.of(engine, disk);
        open.add(guest);
        // All of the cluster, also where a part is zeroed: the rest of it stays where it is.
        long clusterBytes = 1L << part.clusterBits;
        guest.write(
                3 * clusterBytes, Arena.ofAuto().allocate(clusterBytes, 4096).fill(OLD));
        guest.flush();
        return guest;
    }

    private Storage watched(Storage storage) {
        RecordStorage record = new RecordStorage(storage);
        records.add(record);
        return new HeldStorage(record, holds);
    }

    /** Begins a request, and waits until it is held. */
    private static Guest.Pending begin(Guest guest, Request request, HeldStorage.Hold hold) throws IOException {
        Guest.Pending pending = guest.begin(request);
        guest.getOnUntil(hold::isReached);
        return pending;
    }

    /** Each part, and whether the request from before is on a fiber; else, with the ring engine, a transfer that needs none. */
    static Stream<Arguments> parts() {
        return Stream.of(Part.values()).flatMap(part -> Stream.of(Arguments.of(part, false), Arguments.of(part, true)));
    }

    private static Request late(Request request, boolean onFiber) {
        return onFiber ? new Request.Work(0, queue -> Guest.perform(queue, request)) : request;
    }

    private static Request writing(Part part, byte value) {
        return new Request.Write(0, part.offset(), part.filled(value));
    }

    private static Predicate<dev.cowherd.storage.filter.Request> of(Operation operation, Part part) {
        return request -> request.operation() == operation && request.length() == part.bytes;
    }

    private static byte value(Guest guest, Part part) throws IOException {
        MemorySegment seen = part.filled((byte) 99);
        guest.read(part.offset(), seen);
        byte value = seen.get(ValueLayout.JAVA_BYTE, 0);
        assertThat(seen.mismatch(part.filled(value))).as("all of one value").isEqualTo(-1);
        return value;
    }

    @ParameterizedTest
    @MethodSource("parts")
    void aWriteFromBeforeDoesNotComeBackOnceZerosWereSeen(Part part, boolean onFiber) throws IOException {
        Guest guest = guestWithOldBytes(part);
        HeldStorage.Hold late = holds.next(of(Operation.WRITE, part));
        Guest.Pending lateWrite = begin(guest, late(writing(part, LATE), onFiber), late);
        guest.writeZeroes(part.offset(), part.bytes, ZeroMode.KEEP_ALLOCATED);
        HeldStorage.Hold landed = holds.nextDone(of(Operation.WRITE, part));
        Guest.Pending newWrite = begin(guest, writing(part, NEW), landed);
        late.release();
        lateWrite.await();
        byte before = value(guest, part);
        landed.release();
        newWrite.await();
        byte after = value(guest, part);
        // The late write has ended before anybody looked: if it was not seen then, it came before what was.
        assertThat(after).as("after %d was seen", before).isIn(before == LATE ? List.of(LATE, NEW) : List.of(NEW));
    }

    @ParameterizedTest
    @MethodSource("parts")
    void aReadFromBeforeDoesNotSeeWhatNobodyElseSeesYet(Part part, boolean onFiber) throws IOException {
        Guest guest = guestWithOldBytes(part);
        HeldStorage.Hold late = holds.next(of(Operation.READ, part));
        MemorySegment seen = part.filled((byte) 99);
        Request read = new Request.Read(0, part.offset(), seen);
        Guest.Pending lateRead = begin(guest, late(read, onFiber), late);
        guest.writeZeroes(part.offset(), part.bytes, ZeroMode.KEEP_ALLOCATED);
        HeldStorage.Hold landed = holds.nextDone(of(Operation.WRITE, part));
        Guest.Pending newWrite = begin(guest, writing(part, NEW), landed);
        late.release();
        lateRead.await();
        byte by = seen.get(ValueLayout.JAVA_BYTE, 0);
        byte then = value(guest, part);
        landed.release();
        newWrite.await();
        assertThat(by).isIn(OLD, (byte) 0, NEW);
        assertThat(then).as("after %d was seen", by).isIn(by == NEW ? List.of(NEW) : List.of((byte) 0, NEW));
        assertThat(value(guest, part)).isEqualTo(NEW);
    }

    /** Where no request is on its way, the place is kept indeed. */
    @ParameterizedTest
    @EnumSource
    void withoutSuchRequestsTheClusterIsWrittenWhereItWas(Part part) throws IOException {
        Guest guest = guestWithOldBytes(part);
        List<Long> places = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            records.forEach(RecordStorage::forget);
            guest.write(part.offset(), part.filled(NEW));
            records.stream()
                    .flatMap(record -> record.requests(Operation.WRITE).stream())
                    .filter(request -> request.length() == part.bytes)
                    .forEach(request -> places.add(request.offset()));
            guest.writeZeroes(part.offset(), part.bytes, ZeroMode.KEEP_ALLOCATED);
            assertThat(value(guest, part)).isZero();
        }
        assertThat(places).hasSize(3);
        assertThat(places.stream().distinct()).hasSize(1);
    }

    /** What is remembered is bounded, and errs on the safe side. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void manyClustersMayBeKeptWhileOneRequestIsSlow(boolean last) throws IOException {
        Part part = Part.CLUSTER;
        Guest busy = guestWithOldBytes(part);
        int clusters = (int) (part.shape().sizeBytes() / part.bytes);
        for (int i = 0; i < clusters; i++) {
            busy.write((long) i * part.bytes, part.filled(OLD));
        }
        // All others lie behind it, or all before it.
        long inUse = last ? (long) (clusters - 1) * part.bytes : 0;
        HeldStorage.Hold late = holds.next(of(Operation.WRITE, part));
        Guest.Pending lateWrite = begin(busy, new Request.Write(0, inUse, part.filled(LATE)), late);
        busy.writeZeroes(inUse, part.bytes, ZeroMode.KEEP_ALLOCATED);
        for (int round = 0; round < 2; round++) {
            for (int i = 2; i < clusters - 2; i++) {
                busy.writeZeroes((long) i * part.bytes, part.bytes, ZeroMode.KEEP_ALLOCATED);
            }
            for (int i = 2; i < clusters - 2; i++) {
                busy.write((long) i * part.bytes, part.filled(NEW));
            }
        }
        busy.write(inUse, part.filled(NEW));
        late.release();
        lateWrite.await();
        MemorySegment seen = part.filled((byte) 99);
        busy.read(inUse, seen);
        assertThat(seen.mismatch(part.filled(NEW))).isEqualTo(-1);
        for (int i = 2; i < clusters - 2; i++) {
            busy.read((long) i * part.bytes, seen);
            assertThat(seen.mismatch(part.filled(NEW))).as("cluster %d", i).isEqualTo(-1);
        }
    }
}
