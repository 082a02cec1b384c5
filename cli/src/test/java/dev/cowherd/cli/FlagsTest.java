package dev.cowherd.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Proves that arguments are taken apart as getopt_long takes them for qemu-img. */
final class FlagsTest {
    private static final String[] DECLARED = {
        "-f= --format=", "-U --force-share", "-p", "-q", "--output=", "--backing-chain", "--bare", "-l= --max-length="
    };

    /** Flags as name or name=value, then a bar, then the operands. */
    private static String parse(String arguments) throws CommandException {
        Flags flags = new Flags(arguments.isEmpty() ? List.of() : List.of(arguments.split(" ", -1)), DECLARED);
        StringJoiner seen = new StringJoiner(" ");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            boolean valued = List.of("-f", "--output", "-l").contains(flag);
            seen.add(valued ? flag + "=" + flags.value() : flag);
        }
        return seen + "|" + String.join(" ", flags.operands());
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
                    a                                ; |a
                    -f qcow2 a                       ; -f=qcow2|a
                    -fqcow2 a                        ; -f=qcow2|a
                    a -f qcow2                       ; -f=qcow2|a
                    -pq a                            ; -p -q|a
                    -pqfraw a                        ; -p -q -f=raw|a
                    -pf raw a                        ; -p -f=raw|a
                    --format=raw a                   ; -f=raw|a
                    --format raw a                   ; -f=raw|a
                    --output=json a b                ; --output=json|a b
                    --out json a                     ; --output=json|a
                    --force-share a                  ; -U|a
                    --force a                        ; -U|a
                    --back -U a                      ; --backing-chain -U|a
                    --bare a                         ; --bare|a
                    -U -- -f a                       ; -U|-f a
                    - a                              ; |- a
                    -l -- a                          ; -l=--|a
                    -f= a                            ; -f==|a
                    --format= a                      ; -f=|a
                    """)
    void takesArgumentsApartAsGetoptDoes(String arguments, String expected) throws CommandException {
        assertThat(parse(arguments)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
                    -x a                ; invalid option -- 'x'
                    -px a               ; invalid option -- 'x'
                    a -f                ; option requires an argument -- 'f'
                    --format            ; option '--format' requires an argument
                    --nothing           ; unrecognized option '--nothing'
                    --ba                ; option '--ba' is ambiguous
                    --force-share=1     ; option '--force-share' doesn't allow an argument
                    """)
    void refusesWhatGetoptRefuses(String arguments, String expected) {
        assertThatThrownBy(() -> parse(arguments))
                .isInstanceOf(CommandException.class)
                .hasMessage(expected);
    }

    @Test
    void wantsExactlyOneOperandWhereOneIsExpected() throws CommandException {
        Flags none = new Flags(List.of(), DECLARED);
        assertThat(none.next()).isNull();
        assertThatThrownBy(() -> none.oneOperand("Expecting one image file name"))
                .hasMessage("Expecting one image file name");
    }
}
