"""Built-in words to render: those of signs and packages, and names."""

SIGN_WORDS = """
open closed exit entrance push pull sale free new stop parking taxi bus station street road avenue lane square park
hotel restaurant cafe coffee bar pub bakery pizza burger sushi grill kitchen food market shop store mall bank cash post
office police fire hospital pharmacy clinic dentist doctor school college university library museum theatre cinema
music books news fashion shoes clothing jewellery watches beauty hair nails salon spa gym fitness sports travel tours
tickets information reception toilet ladies gentlemen men women lift stairs floor level gate platform terminal airport
train metro tram ferry car rental garage service tyres fuel petrol diesel oil wash repair tools paint hardware garden
flowers gifts toys baby kids pets home furniture kitchen bathroom lighting electronics computers mobile phone internet
wifi print photo studio gallery art design media solutions systems group company limited international global national
royal central city town village north south east west upper lower grand great golden silver green blue red black white
danger warning caution notice private property keep out no entry smoking please do not touch enter wait here queue
welcome thank you for your visit today only special offer price discount best quality fresh natural organic original
classic premium extra super mega mini max plus light milk water juice tea beer wine spirits bread cheese meat fish
chicken beef pork rice noodles soup salad fruit vegetables sugar salt chocolate vanilla strawberry lemon orange apple
the and of to in on at by with from our we are is it this that all more less up down left right one two three first
last next day week month year time hours monday tuesday wednesday thursday friday saturday sunday january february march
april may june july august september october november december call now email address name date number code total
""".split()  # noqa: SIM905  (a wall of quotes and commas would be harder to read and edit)

NAMES = """
James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph Jessica
Thomas Karen Charles Sarah Anna Peter Laura Martin Julia Daniel Sofia Marco Elena Ivan Olga Ahmed Fatima Mohamed Aisha
Wei Li Chen Wang Zhang Liu Tan Lim Lee Kim Park Singh Kumar Patel Sharma Gupta Tanaka Suzuki Sato Nguyen Tran Garcia
Martinez Lopez Gonzalez Rodriguez Fernandez Silva Santos Rossi Ferrari Bianchi Muller Schmidt Schneider Weber Fischer
Jansen Bakker Larsen Hansen Nielsen Johansson Andersson Kowalski Novak Horvat Popescu Smith Jones Taylor Brown Williams
Wilson Johnson Davies Robinson Wright Thompson Evans Walker White Roberts Green Hall Wood Jackson Clarke O'Brien O'Neill
McDonald McCarthy London Paris Berlin Madrid Rome Vienna Lisbon Dublin Oslo Tokyo Delhi Mumbai Singapore Sydney Toronto
Boston Chicago Houston Dallas Denver Seattle Oakland Brooklyn Bangkok Jakarta Manila Cairo Lagos Nairobi Istanbul
""".split()  # noqa: SIM905  (a wall of quotes and commas would be harder to read and edit)
