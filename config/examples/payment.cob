      * A payment through bearerd, by the sockets of the C library:
      *     cobc -x payment.cob
      * It knows nothing of OAuth: it connects, writes a request and
      * reads the answer to its end.
       IDENTIFICATION DIVISION.
       PROGRAM-ID. PAYMENT.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       01 SERVER.
          05 FAMILY       BINARY-SHORT UNSIGNED VALUE 2.
      * 8080 and 127.0.0.1, as they go over the wire.
          05 PORT         PIC X(2) VALUE X"1F90".
          05 HOST         PIC X(4) VALUE X"7F000001".
          05 FILLER       PIC X(8) VALUE LOW-VALUES.
       01 CRLF            PIC X(2) VALUE X"0D0A".
       01 REQUEST-TEXT    PIC X(1024).
       01 REQUEST-SIZE    BINARY-LONG VALUE 1.
       01 ANSWER          PIC X(4096).
       01 SOCKET-NUMBER   BINARY-LONG.
       01 RESULT          BINARY-LONG.
       01 STATUS-CODE     PIC X(3) VALUE SPACES.
       PROCEDURE DIVISION.
           STRING "POST /bambora/payments HTTP/1.0" CRLF
                  "Host: 127.0.0.1" CRLF
                  "Content-Type: application/json" CRLF
                  "Content-Length: 15" CRLF
                  CRLF
                  '{"amount": 100}'
                  DELIMITED BY SIZE INTO REQUEST-TEXT
                  WITH POINTER REQUEST-SIZE.
           SUBTRACT 1 FROM REQUEST-SIZE.
           CALL "socket" USING BY VALUE 2 BY VALUE 1 BY VALUE 0
               RETURNING SOCKET-NUMBER.
           CALL "connect" USING BY VALUE SOCKET-NUMBER
               BY REFERENCE SERVER BY VALUE 16 RETURNING RESULT.
           IF RESULT NOT = 0
               DISPLAY "bearerd cannot be reached" UPON SYSERR
               STOP RUN RETURNING 1.
           CALL "send" USING BY VALUE SOCKET-NUMBER
               BY REFERENCE REQUEST-TEXT BY VALUE REQUEST-SIZE
               BY VALUE 0 RETURNING RESULT.
           PERFORM WITH TEST AFTER UNTIL RESULT <= 0
               CALL "recv" USING BY VALUE SOCKET-NUMBER
                   BY REFERENCE ANSWER BY VALUE 4096 BY VALUE 0
                   RETURNING RESULT
               IF STATUS-CODE = SPACES
                   MOVE ANSWER(10:3) TO STATUS-CODE
               END-IF
               IF RESULT > 0
                   DISPLAY ANSWER(1:RESULT) WITH NO ADVANCING
               END-IF
           END-PERFORM.
           CALL "close" USING BY VALUE SOCKET-NUMBER.
           IF STATUS-CODE NOT = "200"
               STOP RUN RETURNING 1.
           STOP RUN.
